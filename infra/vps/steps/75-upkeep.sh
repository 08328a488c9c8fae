# shellcheck shell=bash
# The journal has a limit, security updates come by themselves, and the clock is right: certificates, leases
# and signed addresses rely on it.
mkdir -p /etc/systemd/journald.conf.d
put /etc/systemd/journald.conf.d/aima.conf 644 root:root systemd-journald.service <"$here/files/journald.conf"
restart_now systemd-journald.service
put /etc/apt/apt.conf.d/20auto-upgrades 644 root:root <"$here/files/auto-upgrades.conf"
on unattended-upgrades.service
if systemctl cat chrony.service >/dev/null 2>&1; then on chrony.service; else on systemd-timesyncd.service; fi
# A container has its host's clock.
systemd-detect-virt -cq && rm -f "$pending/systemd-timesyncd.service"
# A file for each lease of the provider local.
echo 'e /var/lib/aima/logs/workers 0700 aima aima 30d' | put /etc/tmpfiles.d/aima.conf 644 root:root
