#!/bin/sh
# Makes the database roles of the Supervisor and of the Workers, and their main databases, at each `up`: init scripts of
# the image see new volumes only. Neither role is a superuser. What earlier releases have created as the superuser is
# given to them. A repeated run changes nothing.
set -eu
root=${1:-}
scripts=${2:-/scripts}

worker=$(. "$root/password/supervisor.env" && printf %s "$APP_SUPERVISOR_WORKER_DB_PASSWORD")
supervisor=$(. "$root/password/supervisor.env" && printf %s "$DB_PASSWORD")
superuser=$(cat "$root/postgres/password")

# In a volume of an earlier release the superuser has the password that everybody knows.
export PGPASSWORD="$superuser"
if ! psql -d postgres -Atc 'SELECT 1' > /dev/null 2>&1; then
  printf '%s' "ALTER ROLE postgres PASSWORD :'password';" | PGPASSWORD=postgres psql -q -d postgres -v ON_ERROR_STOP=1 -v password="$superuser"
fi

run() {
  psql -q -v ON_ERROR_STOP=1 -v worker="$worker" -v supervisor="$supervisor" "$@"
}
run -d postgres -f "$scripts/database-roles.sql"

# Names of databases have letters, digits, "_" and "-".
for database in $(run -d postgres -Atc "SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('postgres', 'template1')"); do
  owner=nocobase_worker
  if [ "$database" = nocobase_supervisor ]; then owner=nocobase_supervisor; fi
  run -d "$database" -v owner="$owner" --single-transaction -f "$scripts/change-owners.sql"
done
