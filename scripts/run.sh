#!/bin/sh
# Builds, starts the server and shows a newcomer where to click: `make run` [PORT=3000] [DATA=data].
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
port=${PORT:-3000}
data=${DATA:-data}
url=http://127.0.0.1:$port

show() {
  key() { # the Development environment's value of a key in credentials.json
    tr -d '\n' <"$data/credentials.json" | tr '{' '\n' | grep '"Development"' | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
  }
  identifier=$(key applicationIdentifier)
  secret=$(key secretKey)
  config=$(curl -fs --max-time 2 "$url/demo/config.json" | tr -d '\n')
  workflow=$(echo "$config" | sed -n 's/.*"workflowId": *"\([^"]*\)".*/\1/p')
  subscriber=$(echo "$config" | sed -n 's/.*"subscriberId": *"\([^"]*\)".*/\1/p')
  cat <<TEXT

  Carillon is running.

    Demo page                $url/demo
    API                      $url/v1        health: $url/v1/health-check   metrics: $url/metrics
    Environment              Development   (all keys: $data/credentials.json)
    Application identifier   $identifier
    Secret key               $secret

  Open the demo page, then trigger its workflow from here:

    curl -sS $url/v1/events/trigger -H 'Authorization: ApiKey $secret' -H 'Content-Type: application/json' \\
      -d '{"name":"$workflow","to":"$subscriber","payload":{"subject":"Hello from curl","message":"Your first notification.","email":true}}'

TEXT
}

if curl -fs -o /dev/null --max-time 2 "$url/demo/config.json"; then
  echo "run: a Carillon already listens at $url: using it (another one: make run PORT=$((port + 1)) DATA=data2)"
  [ ! -r "$data/credentials.json" ] || show
  exit 0
fi

scripts/demo.sh || echo "run: going on without the demo page's Inbox; everything else works" >&2
scripts/build.sh build

CARILLON_LISTEN=127.0.0.1:$port CARILLON_DATA_DIR=$data CARILLON_DEMO=on build/carillon serve &
server=$!
stopping=
trap 'stopping=yes; kill -TERM $server 2>/dev/null || true' INT TERM
tries=0
until curl -fs -o /dev/null --max-time 2 "$url/v1/health-check"; do
  tries=$((tries + 1))
  if [ $tries -gt 100 ] || ! kill -0 $server 2>/dev/null; then
    kill -TERM $server 2>/dev/null || true
    wait $server || true
    echo "run: the server did not start: its last line above says why" >&2
    exit 1
  fi
  sleep 0.1
done
show
echo "  Stop with Ctrl-C."
# A signal ends the first wait early; the second one is for the drain.
wait $server && status=0 || status=$?
if [ -n "$stopping" ]; then
  wait $server && status=0 || status=$?
fi
exit $status
