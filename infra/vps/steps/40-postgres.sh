# shellcheck shell=bash
# Debian's Postgres: the newest cluster there is, set for a server that mostly idles.
cluster=$(pg_lsclusters --no-header | awk '$2 == "main" { print $1 }' | sort -V | tail -1)
[[ -n $cluster ]] || die 'Postgres has no cluster named main: pg_createcluster --locale C.UTF-8 VERSION main'
postgres_unit=postgresql@$cluster-main.service
etc=/etc/postgresql/$cluster/main

# Both files are Postgres's own: the key is nobody else's to read.
for pair in certificate:crt key:key; do
  put "$etc/aima-server.${pair#*:}" 600 postgres:postgres "$postgres_unit" <"/etc/aima/secrets/server-${pair%:*}"
done

{
  cat "$here/files/postgres-access.conf"
  # Functions in faasd's containers.
  [[ $AIMA_FUNCTIONS_HOST != faasd ]] || echo 'host    aima aima_functions 10.62.0.0/16 scram-sha-256'
} | put "$etc/aima-access.conf" 640 postgres:postgres "$postgres_unit"

sed "s#@ETC@#$etc#" "$here/files/postgres.conf" | put "$etc/conf.d/aima.conf" 644 postgres:postgres "$postgres_unit"
drop_in postgresql@.service
systemctl daemon-reload
on "$postgres_unit"
restart_now "$postgres_unit"
rm -f "$pending/postgresql@.service"

encoding=$(cd / && runuser -u postgres -- psql -XAtc "select pg_encoding_to_char(encoding) from pg_database where datname = 'template1'")
[[ $encoding == UTF8 ]] || die "Postgres's cluster $cluster/main has the encoding $encoding; if nothing is in it: \
pg_dropcluster --stop $cluster main && pg_createcluster --locale C.UTF-8 $cluster main, and run this again"
ok "Postgres $cluster with $encoding"
