#!/bin/sh
# The secrets of the compose installation, in the volume that is mounted at /run/aima:
#
#   all/       every secret, for this program alone
#   gateway/, connector/, setup/, postgres/, broker/, s3/, proxy/
#              copies of what each service needs, which only its own user can read
#
#   secrets.sh make         makes what is missing, and hands out
#   secrets.sh put NAME     takes a secret from standard input, such as a provider's key, and hands out
#
# Runs as root, without a network, because each service has a user of its own to give files to.
set -eu
umask 077
cd /run/aima

case "${1-}" in
make) ;;
put)
    case "${2-}" in
    '' | *[!a-z0-9-]*) echo 'usage: put NAME, with the value on standard input' >&2 && exit 2 ;;
    esac
    mkdir -p all
    cat >"all/.$2.new"
    mv -f "all/.$2.new" "all/$2"
    ;;
*) echo 'usage: make | put NAME' >&2 && exit 2 ;;
esac

export AIMA_SECRETS_DIR=/run/aima/all
node /aima/dist/services/secrets.mjs
# What Postgres, the broker and the proxy show, for the name or address in AIMA_PUBLIC_HOST.
node /aima/dist/services/certificate.mjs

# give USER FOLDER NAME...: replaced in one step, so that nobody reads half a secret.
give() {
    user=$1 folder=$2
    shift 2
    install -d -o "$user" -g "$user" -m 0500 "$folder"
    for name in "$@"; do
        [ -f "all/$name" ] || continue
        install -o "$user" -g "$user" -m 0400 "all/$name" "$folder/.$name.new"
        mv -f "$folder/.$name.new" "$folder/$name"
    done
}

# All that functions may know, and no more: not the superuser's password, nor others' logins.
for name in $(ls all); do
    case "$name" in
    postgres-password | mqtt-connector-password | mqtt-objects-password | bridge-token | server-key) ;;
    *) give 10001 gateway "$name" ;;
    esac
done
give 10002 connector basic-auth-user basic-auth-password connector-token mqtt-connector-password
give 10003 setup postgres-password database-password s3-access-key s3-secret-key
give 10004 proxy server-certificate server-key
give 999 postgres postgres-password server-certificate server-key
give 1883 broker mqtt-functions-password mqtt-connector-password mqtt-objects-password

# Where infra/broker/listeners/tls.conf looks for them.
install -o 1883 -g 1883 -m 0400 all/server-certificate /volumes/broker-certificate/server.crt
install -o 1883 -g 1883 -m 0400 all/server-key /volumes/broker-certificate/server.key

# The S3 server takes no file for the password of its MQTT target, but one with its whole environment.
install -d -o 10005 -g 10005 -m 0500 s3
{
    echo "MINIO_ROOT_USER=$(cat all/s3-access-key)"
    echo "MINIO_ROOT_PASSWORD=$(cat all/s3-secret-key)"
    echo "MINIO_NOTIFY_MQTT_PASSWORD_AIMA=$(cat all/mqtt-objects-password)"
    echo "MINIO_NOTIFY_MQTT_PASSWORD_NOW=$(cat all/mqtt-objects-password)"
} >s3/.config.env.new
chown 10005:10005 s3/.config.env.new
mv -f s3/.config.env.new s3/config.env

# New volumes belong to root.
chown 10001:10001 /volumes/gateway
chown 10002:10002 /volumes/connector
chown 10004:10004 /volumes/proxy
chown 1883:1883 /volumes/broker /volumes/broker-certificate
chown 10005:10005 /volumes/s3 /volumes/s3-events
chmod 0711 /run/aima
