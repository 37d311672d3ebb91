#!/bin/sh
# What the entrypoint of the official image does, by a user who can write to storage, /run/nocobase and /tmp alone: nginx in front of
# NocoBase. Scripts in storage are not run.
set -eu
cd /app/nocobase
if ! [ -w storage ]; then
  echo "The user $(id -u) cannot write to /app/nocobase/storage. A volume of an earlier release belongs to root: docs/upgrading.md, \"Containers\"." >&2
  exit 1
fi
# On the volume: what is written here can be large.
rm -rf "$TMPDIR" storage/.nginx
mkdir -p "$TMPDIR" storage/.nginx
cp node_modules/@nocobase/app/dist/client/index.html.tpl /run/nocobase/index.html
yarn --silent nocobase create-nginx-conf
yarn --silent nocobase generate-instance-id
role=worker
if [ "${APP_MODE:-}" = supervisor ]; then role=supervisor; fi
cp "/app/away/$role.conf" /run/nocobase/away.conf
sed -f /app/server.sed storage/nocobase.conf > /run/nocobase/server.conf
# In the background nobody would notice that it cannot start.
nginx -t -q -e stderr -c /app/nginx.conf
# Nobody is let in before it can answer: a proxy in front asks another Supervisor, and a Supervisor another environment. A Worker that
# starts again answers for its apps before the fleet knows that they do not run there yet.
# Where it ends and was not told to, nobody would reach what NocoBase hosts: start.sh then stops the instance.
{
  node /app/until-ready.js && nginx -e stderr -g 'daemon off;' -c /app/nginx.conf || {
    echo "nginx has ended, and this instance ends, too." >&2
    kill -TERM "$PPID"
  }
} &
yarn --silent start --quickstart
