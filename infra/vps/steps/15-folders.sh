# shellcheck shell=bash
# Two users: one for our programs, one for the object store, so that neither reads the other's files.
for account in aima aima-objects; do
  if getent passwd "$account" >/dev/null; then
    ok "user $account"
  else
    useradd --system --home-dir "/var/lib/$account" --no-create-home --shell /usr/sbin/nologin "$account"
    changed "user $account"
  fi
done
folder /etc/aima 0755 root:root
folder /etc/aima/secrets 0700 root:root
folder /opt/aima 0755 root:root
folder /opt/aima/releases 0755 root:root
folder /var/lib/aima 0711 aima:aima
folder /var/lib/aima-objects 0700 aima-objects:aima-objects
folder /var/backups/aima 0700 root:root
