# shellcheck shell=bash
# How a step acts: it says what shall be, and only what differs is changed. `ok` and `changed` are all it says.
# Sourced by `install`.

# Units that run something older than what is on the disk. On the disk too, since a run that is cut off
# between a file and its restart would otherwise leave it so for ever.
pending=/var/lib/aima-install/pending

ok() { printf 'ok       %s\n' "$*"; }
changed() { printf 'changed  %s\n' "$*"; }

# restart_later UNIT…
restart_later() {
  local unit
  mkdir -p "$pending"
  for unit in "$@"; do touch "$pending/$unit"; done
}

# put PATH MODE OWNER [UNIT…] < content: the file, whole or not at all; the units are restarted at the end.
put() {
  local path=$1 mode=$2 owner=$3 new
  shift 3
  new=$(mktemp "$path.XXXXXX")
  cat >"$new"
  chmod "$mode" "$new"
  chown "$owner" "$new"
  if [[ -f $path ]] && cmp -s "$new" "$path" && [[ $(stat -c '%a %U:%G' "$path") == "$(stat -c '%a %U:%G' "$new")" ]]; then
    rm "$new"
    ok "$path"
    return
  fi
  restart_later "$@"
  mv -T "$new" "$path"
  changed "$path"
}

# folder PATH MODE OWNER
folder() {
  if [[ -d $1 && $(stat -c '%a %U:%G' "$1") == "${2#0} $3" ]]; then
    ok "$1"
    return
  fi
  install -d -m "$2" -o "${3%:*}" -g "${3#*:}" "$1"
  changed "$1"
}

# link PATH TARGET: at every moment PATH is there.
link() {
  if [[ $(readlink "$1" || true) == "$2" ]]; then
    ok "$1"
    return
  fi
  ln -sfn "$2" "$1.next"
  mv -T "$1.next" "$1"
  changed "$1 -> $2"
}

# unit NAME [NAME…]: from units/, restarted where it changed.
unit() {
  local name
  for name in "$@"; do
    put "/etc/systemd/system/$name" 644 root:root "$name" <"$here/units/$name"
  done
}

# drop_in UNIT: ours for a unit of Debian's, from units/UNIT.conf.
drop_in() {
  mkdir -p "/etc/systemd/system/$1.d"
  put "/etc/systemd/system/$1.d/aima.conf" 644 root:root "$1" <"$here/units/$1.conf"
}

# on UNIT…: starts now and with the machine. What is already so stays as it is.
on() {
  local name
  for name in "$@"; do
    if systemctl -q is-enabled "$name" 2>/dev/null; then
      ok "$name is enabled"
    else
      systemctl -q enable "$name"
      changed "$name is enabled"
    fi
    systemctl -q is-active "$name" || restart_later "$name"
  done
}

# off UNIT…: of another choice in the settings, made earlier.
off() {
  local name
  for name in "$@"; do
    systemctl -q is-enabled "$name" 2>/dev/null || systemctl -q is-active "$name" || continue
    systemctl -q disable --now "$name"
    rm -f "$pending/$name"
    changed "$name is off"
  done
}

# restart_now UNIT…: those of them that wait for it.
restart_now() {
  local name
  for name in "$@"; do
    [[ -e $pending/$name ]] || continue
    systemctl restart "$name" || die "$name does not start: journalctl -u $name"
    rm "$pending/$name"
    changed "$name was restarted"
  done
}

# fetch URL SHA256 PATH: what does not have that checksum is not kept.
fetch() {
  curl -fsSL --proto '=https' --retry 3 -o "$3" "$1" || die "$1 cannot be fetched"
  sha256sum --status -c <<<"$2  $3" && return
  rm "$3"
  die "$1 does not have the checksum $2"
}
