#!/bin/sh
# As root, the server gets its folder and becomes the user of Debian's package; other programs run as they are.
set -eu
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  chown -R redis .
  # Containers are reached by other containers, and only by them.
  shift
  set -- setpriv --reuid redis --regid redis --init-groups redis-server "$@" --protected-mode no
fi
exec "$@"
