# shellcheck shell=bash
# Debian's Mosquitto, with the release's configuration; its logins are set before each start (the drop-in).
folder /etc/mosquitto/aima.d 0755 root:root
folder /etc/mosquitto/certs 0750 root:mosquitto
put /etc/mosquitto/certs/server.crt 640 root:mosquitto mosquitto.service </etc/aima/secrets/server-certificate
put /etc/mosquitto/certs/server.key 640 root:mosquitto mosquitto.service </etc/aima/secrets/server-key
listeners=(loopback tls)
[[ $AIMA_FUNCTIONS_HOST != faasd ]] || listeners+=(faasd)
for file in /etc/mosquitto/aima.d/*.conf; do
  [[ -e $file && " ${listeners[*]} " != *" $(basename "$file" .conf) "* ]] || continue
  rm "$file"
  restart_later mosquitto.service
  changed "$file is gone"
done
for name in "${listeners[@]}"; do
  put "/etc/mosquitto/aima.d/$name.conf" 644 root:root mosquitto.service <"/opt/aima/current/infra/broker/listeners/$name.conf"
done
drop_in mosquitto.service
