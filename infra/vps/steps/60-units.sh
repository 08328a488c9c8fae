# shellcheck shell=bash
unit aima-database.service aima-bucket.service aima-connector.service aima-bridge.service aima-objects.service
unit aima-gateway.service aima-backup.service aima-backup.timer aima-health.service aima-health.timer

# What stack.yml names, and what callers of the gateway's own routes must know. With the provider local the
# workers are children of the gateway: two gigabytes of models more.
memory=512M
[[ $AIMA_PROVIDERS == *local* ]] && memory=3G
mkdir -p /etc/systemd/system/aima-gateway.service.d
{
  printf '[Service]\nMemoryMax=%s\n' "$memory"
  { sed -n 's/^      - \([a-z0-9-]*\)$/\1/p' /opt/aima/current/stack.yml; printf 'basic-auth-%s\n' user password; } | sort -u |
    sed 's#.*#LoadCredential=&:/etc/aima/secrets/&#'
} | put /etc/systemd/system/aima-gateway.service.d/secrets.conf 644 root:root aima-gateway.service
systemctl daemon-reload

for name in aima-objects aima-bucket aima-gateway aima-functions aima-connector aima-bridge; do
  [[ " ${own_units[*]} " == *" $name.service "* ]] || off "$name.service"
done
