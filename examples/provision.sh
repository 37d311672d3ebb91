#!/usr/bin/env bash
# Creates an app with a first administrator, waits until it runs, and signs in to it.
#
#   SUPERVISOR_EMAIL=… SUPERVISOR_PASSWORD=… bash examples/provision.sh <url> <name> <title> <administrator's e-mail>
#
# Prints {name, url, administrator: {username, email, password}}. The password is generated, and nobody can read it again.
# Needs bash, curl 7.76 and node, which reads and writes JSON.
set -euo pipefail

usage='Set SUPERVISOR_EMAIL and SUPERVISOR_PASSWORD, and name: <url> <name> <title> <e-mail>'
: "${SUPERVISOR_EMAIL:?$usage}" "${SUPERVISOR_PASSWORD:?$usage}" "${4:?$usage}"
export supervisor=$1 name=$2 title=$3 email=$4
minutes=5

# call ACTION TOKEN [BODY [OPTION…]]: calls an action of the main app, or of an app below its path; with a body by POST.
# Tokens and passwords reach curl and node by other ways than arguments, which everybody on the machine can read.
call() {
  local answer
  answer=$(curl --silent --show-error --fail-with-body "$supervisor/api/$1" \
    --header 'Content-Type: application/json' --header 'X-Authenticator: basic' \
    --config <([ -z "$2" ] || printf 'header = "Authorization: Bearer %s"\n' "$2") \
    ${3:+--data @-} "${@:4}" <<<"${3:-}") || { echo "$1 was refused: $answer" >&2; return 1; }
  printf '%s' "$answer"
}

# get PATH: what stands there in the `data` of the answer on standard input.
get() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).data$1"; }

# sign_in PATH ACCOUNT PASSWORD: gives a token. An app answers 503 while it begins.
sign_in() {
  local body answer
  body=$(account=$2 password=$3 node -p 'const { account, password } = process.env; JSON.stringify({ account, password })')
  answer=$(call "$1auth:signIn" '' "$body" --retry 60 --retry-delay 1)
  get .token <<<"$answer"
}

token=$(sign_in '' "$SUPERVISOR_EMAIL" "$SUPERVISOR_PASSWORD")

answer=$(call appEnvironments:list "$token")
environment=$(get ".find(({ available, cordoned }) => available && !cordoned)?.name ?? ''" <<<"$answer")
[ -n "$environment" ] || { echo 'No environment can take the app: none is online and not cordoned.' >&2; exit 1; }

body=$(environment=$environment node -p '
  const { name, title, email, environment } = process.env;
  JSON.stringify({ name, title, environments: [environment], initialAdmin: { email } })')
created=$(call apps:create "$token" "$body")
operation=$(get .operation.id <<<"$created")

deadline=$((SECONDS + minutes * 60))
state=queued
until [ "$state" = succeeded ]; do
  [ $SECONDS -lt $deadline ] || { echo "App $name does not run after $minutes minutes; operation $operation goes on." >&2; exit 1; }
  sleep 1
  answer=$(call "appOperations:get?filterByTk=$operation" "$token")
  state=$(get .state <<<"$answer")
  case $state in failed | cancelled)
    echo "App $name was not created ($state). $(get ".progress.map(({ error }) => JSON.stringify(error) ?? '').join(' ')" <<<"$answer")" >&2
    exit 1 ;;
  esac
done

own=$(sign_in "__app/$name/" "$(get .initialAdmin.email <<<"$created")" "$(get .initialAdmin.password <<<"$created")")
call "__app/$name/auth:check" "$own" >/dev/null
created=$created node -p '
  const { supervisor, name, created } = process.env;
  JSON.stringify({ name, url: `${supervisor}/apps/${name}/admin/`, administrator: JSON.parse(created).data.initialAdmin })'
