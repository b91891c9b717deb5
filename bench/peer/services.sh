#!/bin/sh
# Starts or stops the peer's Redis and PostgreSQL in a scratch directory: services.sh start|stop DIR.
# REDIS_FSYNC: always (durable when acknowledged, the default) or everysec.
set -eu
dir=$2
redis_port=${PEER_REDIS_PORT:-4102}
postgres_port=${PEER_POSTGRES_PORT:-4103}
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}

case $1 in
start)
    mkdir -p "$dir/redis" "$dir/postgres"
    chmod 755 "$dir"
    redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$dir/redis" --daemonize yes --save '' \
        --appendonly yes --appendfsync "${REDIS_FSYNC:-always}" --pidfile "$dir/redis.pid" \
        --maxmemory-policy noeviction --logfile "$dir/redis.log"
    if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$dir/postgres"; fi
    chmod 700 "$dir/postgres"
    cd "$dir/postgres"
    as_postgres "$bin/initdb" -D "$dir/postgres/data" -U postgres -A trust --no-locale -E UTF8 >/dev/null
    as_postgres "$bin/pg_ctl" -D "$dir/postgres/data" -w -l "$dir/postgres/log" start >/dev/null \
        -o "-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories='' -c shared_buffers=512MB -c max_wal_size=4GB -c synchronous_commit=on -c fsync=on"
    as_postgres "$bin/createdb" -h 127.0.0.1 -p "$postgres_port" -U postgres peer
    ;;
stop)
    if [ -f "$dir/postgres/data/postmaster.pid" ]; then
        cd "$dir/postgres"
        as_postgres "$bin/pg_ctl" -D "$dir/postgres/data" -w -m immediate stop >/dev/null || :
    fi
    if [ -f "$dir/redis.pid" ]; then kill "$(cat "$dir/redis.pid")" 2>/dev/null || :; fi
    ;;
*)
    echo "usage: services.sh start|stop DIR" >&2
    exit 2
    ;;
esac
