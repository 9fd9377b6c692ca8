# shellcheck shell=bash disable=SC2034,SC2154
# A throw-away PostgreSQL on a Unix socket (and on loopback, for what is compared over TCP), with the extension in a private copy of the server's programs, so that
# nothing here touches the system's installation. Sourced by run; needs $results and $programs.
#
# PostgreSQL refuses to run as root: started by root, the server belongs to CHECK_USER (default: postgres). Its files
# lie in the build directory unless that user cannot reach it: then in /var/tmp. Never on a memory file system, where
# fsync would cost nothing.

server_user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then server_user=${CHECK_USER:-postgres}; fi

as_server() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u "$server_user" -- "$@"; else "$@"; fi
}

make_work() {
    work=$results/work
    rm -rf "$work"
    mkdir -p "$work"
    if ! as_server test -x "$work"; then
        rm -rf "$work"
        work=$(mktemp -d /var/tmp/audiostore-bench.XXXXXX)
    fi
    chmod 755 "$work"
    # The path of a socket has to be short.
    sockets=$(mktemp -d /tmp/audiostore-bench.XXXXXX)
    if [ "$(id -u)" -eq 0 ]; then chown "$server_user" "$work" "$sockets"; fi
    chmod 755 "$sockets"
}

install_private() {
    bindir=$(script/private-install release "$work/postgres" 2>"$results/install.log")
    PATH=$bindir:$PATH
}

# One on loopback that nobody listens on at the moment.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo $port
}

start_cluster() {
    local port
    port=$(free_port)
    as_server "$bindir/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --no-locale >"$results/initdb.log"
    as_server tee -a "$work/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$sockets'
shared_preload_libraries = 'audiostore'
audiostore.enabled = off
shared_buffers = 1GB
max_wal_size = 8GB
max_connections = 100
fsync = on
jit = off
CONF
    as_server "$bindir/pg_ctl" -D "$work/data" -l "$work/server.log" -w start >/dev/null || {
        tail -n 50 "$work/server.log" >&2
        exit 1
    }
    export PGHOST=$sockets PGPORT=$port PGUSER=postgres PGDATABASE=bench
    psql -XAtq -d postgres -c 'CREATE DATABASE bench'
    sql -c 'CREATE EXTENSION audiostore' -c 'CREATE SCHEMA bench'
}

stop_cluster() {
    [ ! -e "$work/data/postmaster.pid" ] ||
        as_server "$bindir/pg_ctl" -D "$work/data" -m immediate -w stop >/dev/null || true
    cp "$work/server.log" "$results/" 2>/dev/null || true
    if [ -n "${KEEP:-}" ]; then
        echo "kept: $work" >&2
    else
        rm -rf "$work" "$sockets"
    fi
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

worker_pid() { sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'audiostore worker'"; }

# await CONDITION: polls until the query says true.
await() {
    local tries=0
    until [ "$(sql -c "SELECT $1")" = t ]; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ]; then
            echo "bench: waited in vain for: $1" >&2
            return 1
        fi
        sleep 0.05
    done
}

# worker on|off: whether the database has a worker, and an idle one.
worker() {
    sql -c "ALTER SYSTEM SET audiostore.enabled = $1" -c 'SELECT pg_reload_conf()' >/dev/null
    if [ "$1" = on ]; then
        await "EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker' AND state = 'idle')"
    else
        await "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'audiostore worker')"
    fi
}

start_stub() {
    rm -f "$work/stub.port"
    "$programs/stub" "$work/stub.port" &
    stub_pid=$!
    local tries=0
    until [ -e "$work/stub.port" ]; do
        tries=$((tries + 1))
        [ $tries -le 100 ] || { echo 'bench: the stub does not start' >&2; return 1; }
        sleep 0.05
    done
    stub_port=$(cat "$work/stub.port")
}

# ask_stub PATH: one of its requests for measurements; prints the answer's last line.
ask_stub() {
    local line
    exec 9<>"/dev/tcp/127.0.0.1/$stub_port"
    printf 'GET /-/%s HTTP/1.1\r\nHost: stub\r\n\r\n' "$1" >&9
    line=$(tail -n 1 <&9)
    exec 9>&-
    echo "$line"
}

# store_sql NAME: creates a store that the stub plays.
store_sql() {
    echo "CREATE SERVER $1 FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bench', region 'us-east-1',
            endpoint 'http://127.0.0.1:$stub_port', addressing 'path');
        CREATE USER MAPPING FOR PUBLIC SERVER $1 OPTIONS (access_key_id 'bench', secret_access_key 'bench');"
}

# limits_sql QUEUE: the two least things that any design with triggers does: nothing, and keeping a queue of keys.
limits_sql() {
    cat <<SQL
CREATE OR REPLACE FUNCTION bench.idle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE bench.$1 (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, queued_at timestamptz DEFAULT now());
CREATE UNIQUE INDEX ON bench.$1 (key);
CREATE FUNCTION bench.into_$1() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bench.$1 (key) SELECT key FROM gone ORDER BY key; RETURN NULL; END';
SQL
}
