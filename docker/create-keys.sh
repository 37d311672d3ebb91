#!/bin/sh
# Makes the keys and passwords of a fleet at each `up`, in the folders of the volumes below $1, as `NAME='value'` lines. A value
# from the environment has priority over the stored one; a value is generated only if neither exists.
#
#   keys/fleet.env           the Supervisor alone: the keys of the fleet, its addresses of Redis
#   password/supervisor.env  the Supervisor alone: the password of its first administrator, that of its database role, and that of
#                            the Workers' database role, which it gives to new ones
#   workers/ENVIRONMENT/worker.env  one Worker: its keys, its addresses of Redis, the password of its database role
#   door/door.env            the doors, if there are any: the Supervisor's public key, their address of Redis
#   postgres/password        PostgreSQL and the roles: the password of the superuser
#   redis/users.acl, redis/default  Redis: its users, and the password of the one who may do everything
#
# ENVIRONMENTS names the environments; one that was forgotten as NAME=FLOOR (keys.ts).
#
# With OWNER (uid:gid) the files, except for those of Redis, and the folders in /storage belong to it: releases before 0.3.0 ran
# as root. Those of the doors belong to DOOR_OWNER.
set -eu
umask 077
root=${1:-}
environments=${ENVIRONMENTS:-env_a env_b}
file=$root/keys/fleet.env
password_file=$root/password/supervisor.env
superuser_file=$root/postgres/password
redis_folder=$root/redis
program=${KEYS_PROGRAM:-/app/nocobase/node_modules/@nocobase/plugin-app-supervisor/dist/server/keys.js}

if [ -n "${SUPERVISOR_PASSWORD:-}" ] && { [ "${#SUPERVISOR_PASSWORD}" -lt 8 ] || [ "$SUPERVISOR_PASSWORD" = admin123 ]; }; then
  echo 'SUPERVISOR_PASSWORD must have at least 8 characters and must not be admin123, which everybody knows.' >&2
  exit 1
fi

given_app_key=${APP_KEY:-}
given_aes_key=${APP_SUPERVISOR_AES_SECRET_KEY:-}
old_aes_key=${APP_SUPERVISOR_AES_OLD_SECRET_KEY:-}
APP_KEY=
APP_SUPERVISOR_AES_SECRET_KEY=
APP_SUPERVISOR_REDIS_URL=
INIT_ROOT_PASSWORD=
DB_PASSWORD=
APP_SUPERVISOR_WORKER_DB_PASSWORD=
if [ -f "$file" ]; then . "$file"; fi
if [ -f "$password_file" ]; then . "$password_file"; fi

# Nothing could read the secrets that are sealed with the stored key, and nobody would have that key any more.
stored=$APP_SUPERVISOR_AES_SECRET_KEY
if [ -n "$given_aes_key" ] && [ -n "$stored" ] && [ "$given_aes_key" != "$stored" ] && [ "$old_aes_key" != "$stored" ]; then
  cat >&2 <<'END'
APP_SUPERVISOR_AES_SECRET_KEY in .env is another key than that of this fleet, which is in the volume "keys". Remove it from
.env. To change the key, follow docs/reference/operating.md, "New AES key".
END
  exit 1
fi

random() {
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# A text in single quotes, for the shell that reads the file.
quoted() {
  printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

stored_in() {
  if [ -f "$1" ]; then cat "$1"; fi
}

# Writes what it reads to a file, wholly or not at all. @param $2 anything: OWNER does not get it
write() {
  if ! [ -f "$1" ]; then echo "Made ${1#"$root"}."; fi
  cat > "$1.new"
  if [ -n "${OWNER:-}" ] && [ -z "${2:-}" ]; then chown "$OWNER" "$1.new"; fi
  mv "$1.new" "$1"
}

# What it signs in to Redis with; an address of an earlier release has no user.
redis_password=$(printf %s "$APP_SUPERVISOR_REDIS_URL" | sed -n 's#^redis://supervisor:\([0-9a-f]*\)@.*#\1#p')
redis_url=redis://supervisor:${redis_password:-$(random)}@redis:6379/0
worker_role=${APP_SUPERVISOR_WORKER_DB_PASSWORD:-$(random)}

write "$file" <<END
APP_KEY=$(quoted "${given_app_key:-${APP_KEY:-$(random)}}")
APP_SUPERVISOR_AES_SECRET_KEY=$(quoted "${given_aes_key:-${APP_SUPERVISOR_AES_SECRET_KEY:-$(random)}}")
APP_SUPERVISOR_REDIS_URL=$(quoted "$redis_url")
APP_COMMAND_REDIS_URL=$(quoted "$redis_url")
END

write "$password_file" <<END
INIT_ROOT_PASSWORD=$(quoted "${SUPERVISOR_PASSWORD:-${INIT_ROOT_PASSWORD:-$(random | cut -c 1-24)}}")
DB_PASSWORD=$(quoted "${DB_PASSWORD:-$(random)}")
APP_SUPERVISOR_WORKER_DB_PASSWORD=$(quoted "$worker_role")
END

superuser=$(stored_in "$superuser_file")
printf %s "${POSTGRES_PASSWORD:-${superuser:-$(random)}}" | write "$superuser_file"

# Each Worker gets what is derived for its environment, as from "Add environment".
# The image's TMPDIR is on a volume that is not there.
made=$(TMPDIR=/tmp mktemp -d)
trap 'rm -rf "$made"' EXIT
# shellcheck disable=SC2086
(set -a && . "$file" && node "$program" --supervisor --door "$made" $environments) > "$made/commands"
for environment in $environments; do
  environment=${environment%%=*}
  { cat "$made/$environment.env" && echo "DB_PASSWORD=$(quoted "$worker_role")"; } | write "$root/workers/$environment/worker.env"
done

if [ -d "$root/door" ]; then (OWNER=${DOOR_OWNER:-} && write "$root/door/door.env" < "$made/.door.env"); fi

default=$(stored_in "$redis_folder/default")
default=${default:-$(random)}
printf %s "$default" | write "$redis_folder/default" redis
{ echo "user default on >$default ~* &* +@all" && sed 's/^ACL SETUSER/user/' "$made/commands"; } | write "$redis_folder/users.acl" redis

if [ -n "${OWNER:-}" ]; then find /storage -mindepth 1 ! -user "${OWNER%:*}" -exec chown -h "$OWNER" {} +; fi

cat <<END
The first start creates the Supervisor's administrator, admin@nocobase.com. To read the password:
  docker compose run --rm --entrypoint cat keys /password/supervisor.env
END
