# shellcheck shell=bash
# Made by our own program from the system's randomness: names are printed, values never.
secrets=/etc/aima/secrets
node=/opt/aima/current/node_modules/.bin/node

secret_names() { (cd "$secrets" && find . -type f -size +0 -printf '%f\n' | sort); }

before=$(secret_names)
AIMA_SECRETS_DIR=$secrets "$node" /opt/aima/current/dist/services/secrets.mjs >/dev/null
# Shown to rented machines by Postgres and the broker.
AIMA_SECRETS_DIR=$secrets AIMA_PUBLIC_HOST=$AIMA_PUBLIC_HOST "$node" /opt/aima/current/infra/certificate/main.ts
new=$(comm -13 <(echo "$before") <(secret_names) | xargs)
if [[ -n $new ]]; then changed "made $new"; else ok "$secrets"; fi

# The owner's to fill: OpenFaaS wants every file that stack.yml names, and the services a value or nothing.
while read -r name; do
  [[ -e $secrets/$name ]] && continue
  install -m 600 /dev/null "$secrets/$name"
  changed "$secrets/$name, empty: fill it in if you need it"
done < <(sed -n 's/^      - \([a-z0-9-]*\)$/\1/p' /opt/aima/current/stack.yml | sort -u)

# A secret that was changed by hand reaches those who read it: what is in them is compared, not kept.
(cd "$secrets" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum) |
  put /var/lib/aima-install/secrets.sha256 600 root:root "${own_units[@]}" mosquitto.service
