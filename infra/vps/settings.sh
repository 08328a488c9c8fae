# shellcheck shell=bash
# The owner's settings, read and checked, and what follows from them. Sourced by `install` and the other programs.

# The variable is for tests.
settings_file=${AIMA_SETTINGS_FILE:-/etc/aima/aima.env}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# NAME=value or NAME="value", a line each, as systemd reads it too; no shell runs over it.
read_settings() {
  local line number=0
  local -r pattern='^(AIMA_[A-Z0-9_]+)=("([^"\\$`]*)"|([^"'\''\\$` ]*))$'
  # Nothing of whoever calls us: two runs must not differ by it.
  while IFS= read -r line; do unset "$line"; done < <(compgen -v AIMA_)
  [[ -f $settings_file ]] || die "there is no $settings_file: copy infra/vps/aima.env.example there and fill it in"
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
    [[ $line =~ $pattern ]] || die "$settings_file, line $number: neither NAME=value nor a comment"
    declare -g "${BASH_REMATCH[1]}=${BASH_REMATCH[3]}${BASH_REMATCH[4]}"
  done <"$settings_file"
}

host_name() { [[ $1 =~ ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$ ]]; }

# Fills in what was not said; stops with a sentence where something cannot be.
check_settings() {
  host_name "${AIMA_DOMAIN:-}" || die "AIMA_DOMAIN must be the name of this server, such as aima.example.org"
  : "${AIMA_S3_HOST:=s3.$AIMA_DOMAIN}" "${AIMA_PUBLIC_HOST:=$AIMA_DOMAIN}" "${AIMA_TLS:=acme}"
  : "${AIMA_FUNCTIONS_HOST:=gateway}" "${AIMA_S3_BUCKET:=media}" "${AIMA_SSH_PORT:=22}" "${AIMA_BACKUP_DAYS:=7}"
  host_name "$AIMA_S3_HOST" || die "AIMA_S3_HOST must be a name of this server, such as s3.$AIMA_DOMAIN"
  case $AIMA_TLS in
    acme) [[ ${AIMA_ACME_EMAIL:-} == *@* ]] || die "AIMA_ACME_EMAIL is missing: the certificate authority writes there" ;;
    internal) ;;
    *) die "AIMA_TLS is $AIMA_TLS, and must be acme or internal" ;;
  esac
  case $AIMA_FUNCTIONS_HOST in
    gateway | none) ;;
    faasd) check_faasd ;;
    *) die "AIMA_FUNCTIONS_HOST is $AIMA_FUNCTIONS_HOST, and must be gateway, faasd or none" ;;
  esac
  check_object_store
  derive_settings
  units_wanted
}

check_faasd() {
  [[ ${AIMA_ACCEPT_FAASD_EULA:-} == yes ]] || die "faasd's community edition is for personal, non-commercial use by one person; \
for anything else it may be tried for 60 days, and then needs a licence of OpenFaaS Edge. It runs 15 functions at most and asks the \
internet for leave at each start. Read https://github.com/openfaas/faasd/blob/master/EULA.md and set \
AIMA_ACCEPT_FAASD_EULA=yes, or AIMA_FUNCTIONS_HOST=gateway, which is ours and free"
  local name
  for name in AIMA_REGISTRY AIMA_FAASD_URL AIMA_FAASD_SHA256 AIMA_FAAS_CLI_URL AIMA_FAAS_CLI_SHA256; do
    [[ -n ${!name:-} ]] || die "$name is missing, which faasd needs (aima.env.example)"
  done
}

check_object_store() {
  if [[ -n ${AIMA_S3_ENDPOINT:-} ]]; then
    object_store=elsewhere
  elif [[ -n ${AIMA_OBJECT_STORE_BINARY:-} ]]; then
    [[ -x $AIMA_OBJECT_STORE_BINARY ]] || die "AIMA_OBJECT_STORE_BINARY: $AIMA_OBJECT_STORE_BINARY is no program"
    object_store=here
  elif [[ -n ${AIMA_OBJECT_STORE_URL:-} ]]; then
    [[ ${AIMA_OBJECT_STORE_SHA256:-} =~ ^[0-9a-f]{64}$ ]] || die "AIMA_OBJECT_STORE_SHA256 must be the checksum of AIMA_OBJECT_STORE_URL"
    object_store=here
  else
    die "no object store: AIMA_OBJECT_STORE_URL with AIMA_OBJECT_STORE_SHA256 (Silo), or AIMA_S3_ENDPOINT of a server that is there"
  fi
}

# Where everything is. With faasd the functions are in containers, which see this machine as 10.62.0.1.
derive_settings() {
  local at=127.0.0.1
  [[ $AIMA_FUNCTIONS_HOST == faasd ]] && at=10.62.0.1
  inside=$at
  : "${AIMA_S3_ENDPOINT:=http://$at:9000}"
  # A store elsewhere that speaks TLS is reached as it is; any other through our proxy.
  [[ $AIMA_S3_ENDPOINT == https://* ]] && : "${AIMA_S3_PUBLIC_ENDPOINT:=$AIMA_S3_ENDPOINT}"
  : "${AIMA_S3_PUBLIC_ENDPOINT:=https://$AIMA_S3_HOST}"
  # As the functions take it where nothing is said; in faasd's containers there is no worker.
  [[ $AIMA_FUNCTIONS_HOST == gateway ]] && : "${AIMA_PROVIDERS:=local}"
  : "${AIMA_PROVIDERS:=}"
  AIMA_DATABASE_URL=postgres://aima_functions@$at:5432/aima
  AIMA_MQTT_URL=mqtt://$at:1883
  AIMA_PUBLIC_POSTGRES_PORT=5432
  AIMA_PUBLIC_MQTT_PORT=8883
  AIMA_DATA_DIR=/var/lib/aima
  AIMA_MODELS_DIR=/var/lib/aima/models
}

# What the services are told: all of the above that has a value, without what only the installer needs.
service_settings() {
  local name
  echo '# Written by infra/vps/install from aima.env: change that, and run it again.'
  for name in $(compgen -v AIMA_ | sort); do
    case $name in
      AIMA_ACCEPT_* | AIMA_FAASD_* | AIMA_FAAS_CLI_* | AIMA_OBJECT_STORE_* | AIMA_BACKUP_* | AIMA_SSH_PORT) continue ;;
    esac
    [[ -z ${!name} ]] || printf '%s="%s"\n' "$name" "${!name}"
  done
}

# The units of ours that these settings ask for, in the order in which they start.
units_wanted() {
  own_units=(aima-database.service)
  [[ $object_store == elsewhere ]] || own_units=(aima-objects.service "${own_units[@]}")
  own_units+=(aima-bucket.service)
  case $AIMA_FUNCTIONS_HOST in
    gateway) own_units+=(aima-gateway.service aima-connector.service) ;;
    faasd) own_units+=(aima-functions.service aima-connector.service) ;;
  esac
  [[ -z ${AIMA_BRIDGE:-} ]] || own_units+=(aima-bridge.service)
}
