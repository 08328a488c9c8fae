# shellcheck shell=bash
# The object store: a program that takes MINIO_* settings, or a server elsewhere, of which nothing is done here.
store=/opt/aima/object-store
if [[ $object_store == elsewhere ]]; then
  off aima-objects.service
  ok "object store: $AIMA_S3_ENDPOINT"
elif [[ -n ${AIMA_OBJECT_STORE_BINARY:-} ]]; then
  put "$store" 755 root:root aima-objects.service <"$AIMA_OBJECT_STORE_BINARY"
elif [[ -f $store ]] && sha256sum --status -c <<<"$AIMA_OBJECT_STORE_SHA256  $store"; then
  ok "$store"
else
  fetch "$AIMA_OBJECT_STORE_URL" "$AIMA_OBJECT_STORE_SHA256" "$store.fetched"
  put "$store" 755 root:root aima-objects.service <"$store.fetched"
  rm "$store.fetched"
fi
