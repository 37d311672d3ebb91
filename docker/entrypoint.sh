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
sed 's#access_log /var/log/nginx/[^;]*;#access_log off;#' storage/nocobase.conf > /run/nocobase/server.conf
nginx -e stderr -c /app/nginx.conf
yarn --silent start --quickstart
