# shellcheck shell=bash
drop_in caddy.service
systemctl daemon-reload
(
  set -a
  # shellcheck source=/dev/null
  . /etc/aima/services.env
  # shellcheck source=/dev/null
  . /etc/aima/proxy.env
  cd /opt/aima/current/infra/proxy && runuser -u caddy --preserve-environment -- \
    env HOME=/var/lib/caddy caddy validate --adapter caddyfile --config Caddyfile >"$pending/../proxy.log" 2>&1 || { tail -n 1 "$pending/../proxy.log" >&2 && exit 1; }
) || die 'the proxy refuses its configuration: see above'
