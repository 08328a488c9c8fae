# shellcheck shell=bash
# Before anything listens. Who is logged in over another port than the one that stays open is not shut out.
port=${SSH_CONNECTION:-}
port=${port##* }
[[ -z $port || $port == "$AIMA_SSH_PORT" ]] || die "you are logged in over port $port: set AIMA_SSH_PORT=$port"
containers=''
[[ $AIMA_FUNCTIONS_HOST != faasd ]] ||
  containers='iifname "openfaas0" tcp dport { 1883, 5432, 8080, 8081, 9000 } accept comment "faasd and its containers"'
sed "s/@SSH_PORT@/$AIMA_SSH_PORT/; s/^\( *\)@CONTAINERS@/\1$containers/" "$here/files/nftables.conf" |
  put /etc/nftables.conf 644 root:root nftables.service
nft -c -f /etc/nftables.conf || die 'the firewall rules are wrong: /etc/nftables.conf'
on nftables.service
# Its restart would empty all tables, those of containers too.
if [[ -e $pending/nftables.service ]]; then
  systemctl reload-or-restart nftables.service
  rm "$pending/nftables.service"
  changed 'the firewall is on'
fi
