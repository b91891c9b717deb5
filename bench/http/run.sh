#!/bin/bash
# Reads and bulk writes over HTTP, as ratios: bench/http/run.sh [rounds]
#
#   GET of a subscriber with a secret key against nginx sending a file of the same size, both alone on one core,
#   wrk on another, in alternation: the median of the rounds' ratios.
#   POST /v1/subscribers/bulk with 500 new subscribers a call: subscribers a second.
#
# Needs nginx and wrk (Debian packages) and two cores. Uses a scratch directory on the disk of BENCH_DIR (default /tmp).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/env.sh
rounds=${1:-5} seconds=${BENCH_SECONDS:-4} server_core=${BENCH_SERVER_CORE:-0} client_core=${BENCH_CLIENT_CORE:-1}
command -v nginx >/dev/null && command -v wrk >/dev/null || { echo "bench/http needs nginx and wrk" >&2; exit 1; }
scripts/build.sh build carillon
dir=$(mktemp -d "${BENCH_DIR:-/tmp}/carillon-bench-XXXXXX")
carillon= nginx=
stop() {
  [ -z "$carillon" ] || kill "$carillon" 2>/dev/null || true
  [ -z "$nginx" ] || kill "$nginx" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap stop EXIT
ready() { # a URL that answers soon, or what was said instead
  for _ in $(seq 100); do ! curl -fs "$1" >/dev/null || return 0; sleep 0.1; done
  cat "$dir"/*.log "$dir/nginx.start" >&2 || true
  return 1
}
free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
port=$(free_port) nginx_port=$(free_port)
key=0123456789abcdef0123456789abcdef

CARILLON_SECRET_KEY=$key taskset -c "$server_core" build/carillon serve --data-dir "$dir/data" --listen "127.0.0.1:$port" \
  --loops 1 --log-level error >"$dir/carillon.log" 2>&1 &
carillon=$!
ready "http://127.0.0.1:$port/v1/health-check"
curl -fs -o /dev/null -H "Authorization: ApiKey $key" -H 'Content-Type: application/json' "http://127.0.0.1:$port/v2/subscribers" \
  -d '{"subscriberId":"user-123","firstName":"Ada","lastName":"Lovelace","email":"ada@example.com","data":{"plan":"pro"}}'
mkdir -p "$dir/www"
curl -fs -H "Authorization: ApiKey $key" "http://127.0.0.1:$port/v2/subscribers/user-123" >"$dir/www/subscriber.json"
cat >"$dir/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log; events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type application/json;
  open_file_cache max=10; client_body_temp_path $dir/a; proxy_temp_path $dir/b; fastcgi_temp_path $dir/c; uwsgi_temp_path $dir/d;
  scgi_temp_path $dir/e; server { listen 127.0.0.1:$nginx_port; root $dir/www; } }
CONF
chmod 755 "$dir" "$dir/www"; [ "$(id -u)" != 0 ] || sed -i '1i user root;' "$dir/nginx.conf"
taskset -c "$server_core" nginx -c "$dir/nginx.conf" -p "$dir" 2>"$dir/nginx.start" &
nginx=$!
ready "http://127.0.0.1:$nginx_port/subscriber.json"

per_second() { # wrk's arguments
  taskset -c "$client_core" wrk -t1 -c32 -d"${seconds}s" "$@" | awk '/Requests\/sec/ { print $2 } /Non-2xx/ { print "errors:", $0 > "/dev/stderr" }'
}
ratios=()
for ((i = 1; i <= rounds; i++)); do
  n=$(per_second "http://127.0.0.1:$nginx_port/subscriber.json")
  c=$(per_second -H "Authorization: ApiKey $key" "http://127.0.0.1:$port/v2/subscribers/user-123")
  r=$(awk "BEGIN { printf \"%.2f\", $c / $n }")
  ratios+=("$r")
  printf 'round %d: nginx %.0f/s, carillon %.0f/s, ratio %s\n' "$i" "$n" "$c" "$r"
done
median=$(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")
echo "GET of a subscriber: $median of nginx (goal 0.6); $(stat -c %s "$dir/www/subscriber.json") bytes a body"

kill "$carillon"; wait "$carillon" || true
CARILLON_SECRET_KEY=$key build/carillon serve --data-dir "$dir/data" --listen "127.0.0.1:$port" --log-level error >"$dir/carillon.log" 2>&1 &
carillon=$!
ready "http://127.0.0.1:$port/v1/health-check"
for connections in 1 4; do
  b=$(wrk -t1 -c$connections -d"${seconds}s" -s bench/http/bulk.lua -H "Authorization: ApiKey $key" "http://127.0.0.1:$port/v1/subscribers/bulk" |
    awk '/Requests\/sec/ { print $2 } /Non-2xx/ { print "errors:", $0 > "/dev/stderr" }')
  awk "BEGIN { printf \"bulk of 500, %d connection(s): %.0f subscribers/s (goal 30000)\n\", $connections, $b * 500 }"
done
