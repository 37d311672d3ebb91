#!/bin/sh
# Like the official image: nginx on port 80 in front of NocoBase, which is no child that hears of signals.
set -e
cd /app/nocobase
yarn --silent nocobase create-nginx-conf
yarn --silent nocobase generate-instance-id
ln -sf /app/nocobase/storage/nocobase.conf /etc/nginx/sites-enabled/default
nginx
yarn --silent start --quickstart
