# Runs one program's bundle with the pinned Node. Sourced by the launchers beside it, which set $program.
# shellcheck shell=sh

# Follows symbolic links to the folder that holds this checkout or installation.
self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done
root=$(cd "${self%/*}/.." && pwd -P) || exit 1

refuse() {
  echo "$program: $1" >&2
  exit 1
}

built=$root/dist/.built
[ -e "$built" ] || refuse "not built yet; run 'make build' in $root"
if [ -d "$root/src" ]; then
  newer=$(find "$root/src" "$root/package.json" -newer "$built" ! -name '*.test.ts' ! -name '*.suite.ts' -print -quit)
  [ -z "$newer" ] || refuse "dist is older than ${newer#"$root"/}; run 'make build' in $root"
fi

# The Node that this release was tested with; elsewhere the one on the PATH, if it is new enough.
for node in "$root"/node_modules/node-*/bin/node; do
  [ -x "$node" ] && break
  node=$(command -v node) || refuse 'no Node.js found; version 24.12 or later is needed'
  "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 12) ? 0 : 1)' ||
    refuse "Node.js $("$node" --version) is too old; version 24.12 or later is needed"
done

# Node aborts at its heap limit, so in a container that limit follows the container's.
heap=
if [ -r /sys/fs/cgroup/memory.max ]; then
  read -r limit </sys/fs/cgroup/memory.max
  case $limit in
    *[!0-9]* | '') ;;
    *) heap=--max-old-space-size=$((limit / 1048576 * 3 / 4)) ;;
  esac
fi

export NODE_COMPILE_CACHE="$root/dist/.compile-cache" NODE_COMPILE_CACHE_PORTABLE=1
# shellcheck disable=SC2086 # $flags and $heap are lists
exec "$node" --enable-source-maps --disable-warning=ExperimentalWarning $heap $flags "$root/dist/$program.js" "$@"
