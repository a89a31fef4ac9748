# Node's flag for the size of its heap in a container. Sourced by launch.sh.
# shellcheck shell=sh

# heap_flag MEMBERSHIP MOUNT: MEMBERSHIP says which control groups we are in, as /proc/self/cgroup does, and MOUNT is
# where control groups are mounted. Prints three quarters of the lowest limit on the way up, in MiB: Node aborts at its
# heap's limit, and needs room beside it. Prints nothing where there is no limit.
heap_flag() {
  lowest=
  while IFS=: read -r _ controllers path; do
    case ,$controllers, in
      ,,) folder=$2 file=memory.max ;;
      *,memory,*) folder=$2/memory file=memory.limit_in_bytes ;;
      *) continue ;;
    esac
    # In a container of its own the path may be that of the host, and only the mount's root is there.
    while :; do
      consider_limit "$folder$path/$file"
      case $path in
        '' | /) break ;;
        *) path=${path%/*} ;;
      esac
    done
  done <"$1"
  [ -z "$lowest" ] || echo "--max-old-space-size=$((lowest / 1048576 * 3 / 4))"
}

consider_limit() {
  limit=
  # `read` fails, but reads, where no line end follows.
  if [ -r "$1" ]; then read -r limit <"$1" || :; fi
  case $limit in
    # None, `max`, or a number so large that it means the same (2^60 and more).
    '' | *[!0-9]* | ???????????????????*) return 0 ;;
  esac
  if [ -z "$lowest" ] || [ "$limit" -lt "$lowest" ]; then lowest=$limit; fi
}
