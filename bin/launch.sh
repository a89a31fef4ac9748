# Runs one program's bundle with the pinned Node. Sourced by the launchers beside it, which set $program, $flags and $self_dir.
# shellcheck shell=sh

# shellcheck source=bin/heap-flag.sh
. "$self_dir/heap-flag.sh"
root=$(cd "$self_dir/.." && pwd -P) || exit 1

refuse() {
  echo "$program: $1" >&2
  exit 1
}

built=$root/dist/.built
[ -e "$built" ] || refuse "not built yet; run 'make build' in $root"
if [ -d "$root/src" ]; then
  # Files only: a folder also changes when a test is added to it, which is no reason to build.
  newer=$(find "$root/src" "$root/package.json" "$root/tools/build.ts" \
    -type f -newer "$built" ! -name '*.test.ts' ! -name '*.suite.ts' -print -quit)
  [ -z "$newer" ] || refuse "dist is older than ${newer#"$root"/}; run 'make build' in $root"
fi

# The Node that this release was tested with; elsewhere the one on the PATH, if it is new enough.
for node in "$root"/node_modules/node-*/bin/node; do
  [ -x "$node" ] && break
  node=$(command -v node) || refuse 'no Node.js found; version 24.12 or later is needed'
  "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 12) ? 0 : 1)' ||
    refuse "Node.js $("$node" --version) is too old; version 24.12 or later is needed"
done

heap=
if [ -r /proc/self/cgroup ]; then heap=$(heap_flag /proc/self/cgroup /sys/fs/cgroup); fi

export NODE_COMPILE_CACHE="$root/dist/.compile-cache" NODE_COMPILE_CACHE_PORTABLE=1
# shellcheck disable=SC2086 # $flags and $heap are lists
# For stack traces in our sources: NODE_OPTIONS=--enable-source-maps, which costs 15 MB.
exec "$node" --disable-warning=ExperimentalWarning $heap $flags "$root/dist/$program.js" "$@"
