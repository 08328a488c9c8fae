# shellcheck shell=bash
# Only where AIMA_FUNCTIONS_HOST=faasd: the way of faasd's own hack/install.sh, with Debian's containerd, runc and
# network plugins, and every download checked. Its files come from its repository, at the same version.
if [[ $AIMA_FUNCTIONS_HOST == none ]]; then
  ok "no functions here: give OpenFaaS Edge or Kubernetes dist/stack.yml, the secrets, and the addresses in /etc/aima/services.env"
elif [[ $AIMA_FUNCTIONS_HOST == faasd ]]; then
  # Services may bind 10.62.0.1 before the first container makes that address.
  printf 'net.ipv4.ip_nonlocal_bind = 1\nnet.ipv4.conf.all.forwarding = 1\n' | put /etc/sysctl.d/60-aima.conf 644 root:root
  sysctl -q -p /etc/sysctl.d/60-aima.conf
  mkdir -p /opt/cni
  [[ -e /opt/cni/bin ]] || link /opt/cni/bin /usr/lib/cni
  on containerd.service
  restart_now containerd.service

  for program in faasd:FAASD faas-cli:FAAS_CLI; do
    path=/usr/local/bin/${program%:*} url=AIMA_${program#*:}_URL sum=AIMA_${program#*:}_SHA256
    [[ -f $path ]] && sha256sum --status -c <<<"${!sum}  $path" && ok "$path" && continue
    fetch "${!url}" "${!sum}" "$path.fetched"
    put "$path" 755 root:root faasd.service faasd-provider.service <"$path.fetched"
    rm "$path.fetched"
  done

  for user in user password; do
    mkdir -p /var/lib/faasd/secrets
    put "/var/lib/faasd/secrets/basic-auth-$user" 600 root:root faasd.service faasd-provider.service <"/etc/aima/secrets/basic-auth-$user"
  done
  # https://github.com/openfaas/faasd/releases/download/VERSION/faasd
  version=$(basename "$(dirname "$AIMA_FAASD_URL")")
  if [[ ! -e /etc/systemd/system/faasd.service ]]; then
    rm -rf /opt/aima/faasd
    git clone -q --depth 1 --branch "$version" https://github.com/openfaas/faasd /opt/aima/faasd
    (cd /opt/aima/faasd && faasd install)
    changed "faasd $version"
  fi
  mkdir -p /etc/systemd/system/faasd.service.d
  printf '[Service]\nRestart=always\n' | put /etc/systemd/system/faasd.service.d/aima.conf 644 root:root faasd.service
  unit aima-functions.service
  systemctl daemon-reload
  on faasd-provider.service faasd.service
  restart_now faasd-provider.service faasd.service

  # What they are made of; another of it, and they are deployed again.
  deployed=$({ cat /opt/aima/current/dist/stack.yml /etc/aima/services.env /var/lib/aima-install/secrets.sha256; } | sha256sum)
  if [[ $(cat /var/lib/aima-install/deployed 2>/dev/null) == "$deployed" ]]; then
    ok 'functions are deployed'
  else
    "$here/programs/functions" deploy
    echo "$deployed" >/var/lib/aima-install/deployed
    changed 'functions are deployed'
  fi
else
  ok 'not wanted: AIMA_FUNCTIONS_HOST=gateway'
fi
