#!/bin/sh
# The command of the image: reads each of the given files, which have `NAME='value'` lines, and each file of the given folders,
# which has the value of the variable that it is named after, and runs entrypoint.sh. A stop reaches NocoBase, which then says
# goodbye to the fleet. The entrypoint's own shell would end at the signal, and the container with it.
#
# Without INIT_ROOT_PASSWORD, the first administrator gets a password that nobody knows until the Supervisor's list of
# environments gives it another one.
set -eu

set -a
for file in "$@"; do
  if [ -d "$file" ]; then
    for value in "$file"/*; do export "${value##*/}=$(cat "$value")"; done
  else
    . "$file"
  fi
done
INIT_ROOT_PASSWORD=${INIT_ROOT_PASSWORD:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}
set +a

# The numbers of NocoBase's processes, without the shells that started them; none while it prepares its start.
nocobase() {
  for process in /proc/[0-9]*; do
    command=$(tr '\0' ' ' < "$process/cmdline" 2>/dev/null) || continue
    case $command in
      sh\ * | */sh\ *) ;;
      *app/lib/index.js\ *) echo "${process#/proc/}" ;;
    esac
  done
}

stop() {
  stopping=yes
  # A proxy in front asks another Supervisor from now on. A Worker goes on until the Supervisors know that it leaves.
  if [ "${APP_MODE:-}" = supervisor ] && [ -f /run/nocobase/nginx.pid ]; then kill -QUIT "$(cat /run/nocobase/nginx.pid)" || true; fi
  processes=$(nocobase)
  # shellcheck disable=SC2086
  kill -TERM ${processes:-"$entrypoint"} 2>/dev/null || true
}

stopping=
"${ENTRYPOINT:-/app/entrypoint.sh}" &
entrypoint=$!
trap stop TERM INT

# A signal ends `wait` before the entrypoint has ended.
status=0
wait "$entrypoint" || status=$?
while [ -n "$stopping" ] && kill -0 "$entrypoint" 2>/dev/null; do
  status=0
  wait "$entrypoint" || status=$?
done
exit "$status"
