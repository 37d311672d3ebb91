#!/bin/sh
# Writes the keys and passwords of a fleet into the folder of an overlay, once: the keys of the fleet, which the Supervisor has, and
# of which the pods of Workers derive those of their environments before they start; those of the Supervisor alone; what all
# Workers have, the password of their database role; and those of PostgreSQL and Redis. Keep these files, and keep them out of git:
# without APP_SUPERVISOR_AES_SECRET_KEY stored secrets cannot be read.
set -eu
umask 077
folder=${1:?Usage: sh create-secrets.sh <folder of an overlay>}
for name in fleet supervisor worker data; do
  if [ -e "$folder/$name-secrets.env" ]; then
    echo "$folder/$name-secrets.env exists already; nothing is changed." >&2
    exit 1
  fi
done

random() {
  od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

redis=redis://supervisor:$(random 24)@redis:6379/0
administrator=$(random 10)
cat > "$folder/fleet-secrets.env" <<END
APP_KEY=$(random 32)
APP_SUPERVISOR_AES_SECRET_KEY=$(random 32)
APP_SUPERVISOR_REDIS_URL=$redis
APP_COMMAND_REDIS_URL=$redis
END
cat > "$folder/supervisor-secrets.env" <<END
INIT_ROOT_PASSWORD=$administrator
DB_PASSWORD=$(random 24)
END
cat > "$folder/worker-secrets.env" <<END
DB_PASSWORD=$(random 24)
END
cat > "$folder/data-secrets.env" <<END
POSTGRES_PASSWORD=$(random 24)
REDIS_PASSWORD=$(random 24)
END
echo "Sign in as admin@nocobase.com with the password $administrator (INIT_ROOT_PASSWORD in $folder/supervisor-secrets.env)."
