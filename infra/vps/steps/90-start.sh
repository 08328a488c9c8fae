# shellcheck shell=bash
# In this order: each relies on those before it.
on mosquitto.service "${own_units[@]}" caddy.service aima-backup.timer aima-health.timer
restart_now mosquitto.service unattended-upgrades.service systemd-timesyncd.service chrony.service
restart_now caddy.service
if [[ $AIMA_TLS == internal ]]; then
  authority=/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt
  for _ in {1..30}; do [[ ! -s $authority ]] || break; sleep 1; done
  # For the clients that are to believe it.
  put /etc/aima/internal-authority.crt 644 root:root <"$authority"
fi
restart_now "${own_units[@]}"
restart_now aima-backup.timer aima-health.timer
# What only runs when its time comes, or is not wanted.
rm -f "$pending"/aima-*.service "$pending"/*.timer
leftover=$(ls -A "$pending" 2>/dev/null || true)
[[ -z $leftover ]] || die "nobody restarted $leftover"
