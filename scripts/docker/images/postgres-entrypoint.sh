#!/bin/bash
# A new data folder gets the superuser of POSTGRES_USER and POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE), and what is in
# /docker-entrypoint-initdb.d, while the server listens on its socket alone.
set -euo pipefail
if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
if [ "$1" != postgres ]; then exec "$@"; fi
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  # The file may be root's alone.
  POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD
  unset POSTGRES_PASSWORD_FILE
fi
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA"
  chmod 700 "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  password=${POSTGRES_PASSWORD:-}
  if [ -z "$password" ]; then echo 'POSTGRES_PASSWORD is needed.' >&2; exit 1; fi
  initdb --username="$user" --pwfile=<(printf '%s\n' "$password") --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
  # With the options of the command, and asked at the socket where it is by default, as in the image.
  shift
  pg_ctl --wait --options="$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" start
  set -- postgres "$@"
  PGHOST='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username="$user" --dbname=postgres -c 'SELECT 1' > /dev/null
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) . "$file" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc --username="$user" --dbname="${POSTGRES_DB:-postgres}" --file="$file" ;;
    esac
  done
  pg_ctl --wait --mode=fast stop
fi
exec "$@"
