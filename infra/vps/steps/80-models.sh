# shellcheck shell=bash
# Only the provider local analyses on this machine: its models are fetched once, some 170 MB.
if [[ $AIMA_PROVIDERS != *local* ]]; then
  ok 'no models: nothing is analysed on this machine'
else
  marker=/var/lib/aima-install/models
  if [[ $(cat "$marker" 2>/dev/null) == "$(readlink -f /opt/aima/current) ${AIMA_MODEL_TIER:-packaged}" ]]; then
    ok "$AIMA_MODELS_DIR"
  else
    folder "$AIMA_MODELS_DIR" 0755 aima:aima
    runuser -u aima -- env HOME=/var/lib/aima AIMA_MODELS_DIR="$AIMA_MODELS_DIR" AIMA_MODEL_TIER="${AIMA_MODEL_TIER:-packaged}" \
      /opt/aima/current/node_modules/.bin/node /opt/aima/current/infra/embedded/supervisor/setup.ts models >/dev/null
    echo "$(readlink -f /opt/aima/current) ${AIMA_MODEL_TIER:-packaged}" >"$marker"
    changed "$AIMA_MODELS_DIR"
  fi
fi
