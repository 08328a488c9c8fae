#!/bin/sh
# Prints the Secrets and the ConfigMap that are made of files, for kubectl apply -f -. No value goes by a command
# line, and none is kept in this folder.
#
#   export AIMA_SECRETS_DIR=secrets AIMA_PUBLIC_HOST=aima.example
#   node dist/services/secrets.mjs && node dist/services/certificate.mjs
#   infra/kubernetes/from-files.sh secrets | kubectl apply -f -
#
# Needs kubectl, and no cluster.
set -eu
secrets=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

# secret NAMESPACE NAME KEY=FILE...: a file that is not there gives an empty value, which turns off what needs it.
secret() {
    namespace=$1 name=$2
    shift 2
    for pair in "$@"; do
        shift
        file=$secrets/${pair#*=}
        [ -f "$file" ] || file=/dev/null
        set -- "$@" "--from-file=${pair%%=*}=$file"
    done
    echo ---
    kubectl create secret generic "$name" --namespace="$namespace" --dry-run=client --output=yaml "$@"
}

# OpenFaaS mounts each of a function's secrets as a file of its own.
for name in $(sed -n '/^    secrets:/,/^    [a-z]/s/^      - //p' stack.yml | sort -u); do
    secret openfaas-fn "$name" "$name=$name"
done

secret openfaas basic-auth basic-auth-user=basic-auth-user basic-auth-password=basic-auth-password
secret aima aima-connector \
    basic-auth-user=basic-auth-user basic-auth-password=basic-auth-password \
    connector-token=connector-token mqtt-connector-password=mqtt-connector-password
secret aima aima-set-up \
    postgres-password=postgres-password database-password=database-password \
    s3-access-key=s3-access-key s3-secret-key=s3-secret-key
secret aima aima-broker \
    mqtt-functions-password=mqtt-functions-password mqtt-connector-password=mqtt-connector-password \
    mqtt-objects-password=mqtt-objects-password
secret aima aima-broker-certificate server.crt=server-certificate server.key=server-key

echo ---
kubectl create configmap mosquitto --namespace=aima --dry-run=client --output=yaml \
    --from-file=infra/broker/mosquitto.conf \
    --from-file=infra/broker/listeners/container.conf \
    --from-file=infra/broker/listeners/tls.conf
