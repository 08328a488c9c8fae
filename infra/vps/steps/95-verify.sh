# shellcheck shell=bash
# The first sweep comes within half a minute.
trouble=''
for _ in {1..60}; do
  trouble=$("$here/programs/health" --look) && break
  trouble=${trouble:-health cannot look}
  sleep 2
done
[[ -z $trouble ]] || die "it does not work yet: $trouble"
ok "healthy; see it from outside: curl https://$AIMA_DOMAIN/function/jobs/openapi.json"
