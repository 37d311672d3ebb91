#!/bin/sh
# Writes the two keys that all instances of a fleet share, and the password of the Workers' database role, to $1; the
# password of the Supervisor's first administrator, that of the Supervisor's database role, and once more that of the
# Workers, which the Supervisor gives to new ones, to $2, each as `NAME='value'` lines; and the password of PostgreSQL's
# superuser to `postgres` beside $2. A value from the environment has priority over the stored one; a value is generated
# only if neither exists. Workers must not read the files beside $2. The password of Redis is in the addresses in $1, and
# in $3, which is all that Redis reads.
#
# With OWNER (uid:gid) the files, except for that of Redis, and the folders in /storage belong to it: releases before 0.3.0 ran
# as root.
set -eu
umask 077
file=${1:-/keys/fleet.env}
password_file=${2:-/password/supervisor.env}
redis_file=${3:-/redis/redis.conf}

if [ -n "${SUPERVISOR_PASSWORD:-}" ] && { [ "${#SUPERVISOR_PASSWORD}" -lt 8 ] || [ "$SUPERVISOR_PASSWORD" = admin123 ]; }; then
  echo 'SUPERVISOR_PASSWORD must have at least 8 characters and must not be admin123, which everybody knows.' >&2
  exit 1
fi

superuser_file=$(dirname "$password_file")/postgres
given_app_key=${APP_KEY:-}
given_aes_key=${APP_SUPERVISOR_AES_SECRET_KEY:-}
old_aes_key=${APP_SUPERVISOR_AES_OLD_SECRET_KEY:-}
APP_KEY=
APP_SUPERVISOR_AES_SECRET_KEY=
INIT_ROOT_PASSWORD=
DB_PASSWORD=
if [ -f "$file" ]; then . "$file"; fi
worker_role=$DB_PASSWORD
DB_PASSWORD=
if [ -f "$password_file" ]; then . "$password_file"; fi
supervisor_role=$DB_PASSWORD
superuser=
if [ -f "$superuser_file" ]; then superuser=$(cat "$superuser_file"); fi

# Nothing could read the secrets that are sealed with the stored key, and nobody would have that key any more.
stored=$APP_SUPERVISOR_AES_SECRET_KEY
if [ -n "$given_aes_key" ] && [ -n "$stored" ] && [ "$given_aes_key" != "$stored" ] && [ "$old_aes_key" != "$stored" ]; then
  cat >&2 <<'END'
APP_SUPERVISOR_AES_SECRET_KEY in .env is another key than that of this fleet, which is in the volume "keys". Remove it from
.env. To change the key, follow docs/reference/operating.md, "New AES key".
END
  exit 1
fi

own() {
  if [ -n "${OWNER:-}" ]; then chown "$OWNER" "$@"; fi
}

random() {
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# A text in single quotes, for the shell that reads the file.
quoted() {
  printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

worker_role=${worker_role:-$(random)}
if [ -f "$redis_file" ]; then redis_password=$(sed 's/requirepass //' "$redis_file"); else redis_password=$(random); fi
redis_url=redis://:$redis_password@redis:6379/0

cat > "$file.new" <<END
APP_KEY=$(quoted "${given_app_key:-${APP_KEY:-$(random)}}")
APP_SUPERVISOR_AES_SECRET_KEY=$(quoted "${given_aes_key:-${APP_SUPERVISOR_AES_SECRET_KEY:-$(random)}}")
DB_PASSWORD=$(quoted "$worker_role")
APP_SUPERVISOR_REDIS_URL=$(quoted "$redis_url")
APP_COMMAND_REDIS_URL=$(quoted "$redis_url")
END
own "$file.new"
mv "$file.new" "$file"

printf 'requirepass %s\n' "$redis_password" > "$redis_file.new"
mv "$redis_file.new" "$redis_file"

cat > "$password_file.new" <<END
INIT_ROOT_PASSWORD=$(quoted "${SUPERVISOR_PASSWORD:-${INIT_ROOT_PASSWORD:-$(random | cut -c 1-24)}}")
DB_PASSWORD=$(quoted "${supervisor_role:-$(random)}")
APP_SUPERVISOR_WORKER_DB_PASSWORD=$(quoted "$worker_role")
END
own "$password_file.new"
mv "$password_file.new" "$password_file"

printf %s "${POSTGRES_PASSWORD:-${superuser:-$(random)}}" > "$superuser_file.new"
own "$superuser_file.new"
mv "$superuser_file.new" "$superuser_file"

if [ -n "${OWNER:-}" ]; then find /storage -mindepth 1 ! -user "${OWNER%:*}" -exec chown -h "$OWNER" {} +; fi

cat <<END
The first start creates the Supervisor's administrator, admin@nocobase.com. To read the password:
  docker compose run --rm --entrypoint cat keys /password/supervisor.env
END
