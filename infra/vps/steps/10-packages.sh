# shellcheck shell=bash
# What Debian and Ubuntu have. npm is theirs and only fetches; what runs is Node 22 out of the release.
packages=(postgresql mosquitto caddy nftables npm git curl ca-certificates openssl age unattended-upgrades systemd-timesyncd)
[[ $AIMA_FUNCTIONS_HOST == faasd ]] && packages+=(containerd runc containernetworking-plugins iptables)
missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} == 0 ]]; then
  ok "packages: ${packages[*]}"
else
  # Another time service is as good.
  [[ -e /lib/systemd/system/chrony.service ]] && mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vx systemd-timesyncd)
  # Postgres makes its cluster while it is installed: with UTF-8, whatever language the server speaks.
  export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
  apt-get -q update >/dev/null
  apt-get -q install -y --no-install-recommends "${missing[@]}" >/dev/null
  changed "packages: ${missing[*]}"
fi
