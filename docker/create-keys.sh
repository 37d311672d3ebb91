#!/bin/sh
# Writes the two keys that all instances of a fleet share, as `NAME='value'` lines. A key from the environment has
# priority over the stored one; a key is generated only if neither exists.
set -eu
umask 077
file=${1:-/keys/fleet.env}

given_app_key=${APP_KEY:-}
given_aes_key=${APP_SUPERVISOR_AES_SECRET_KEY:-}
APP_KEY=
APP_SUPERVISOR_AES_SECRET_KEY=
if [ -f "$file" ]; then . "$file"; fi

random() {
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

cat > "$file.new" <<END
APP_KEY='${given_app_key:-${APP_KEY:-$(random)}}'
APP_SUPERVISOR_AES_SECRET_KEY='${given_aes_key:-${APP_SUPERVISOR_AES_SECRET_KEY:-$(random)}}'
END
mv "$file.new" "$file"
