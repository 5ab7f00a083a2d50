# `.ci/run operations`: the tests of servers in operation, those that take minutes as well, and some load on a server:
# any wrong answer fails it, no figure does.

has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

# What servers are tested with: a PostgreSQL that the tests start, on a socket and as an unprivileged user, a token of
# PKCS#11 in software, and a program that opens what they seal.
require_for_operations() {
    if ! has_postgresql; then
        step 'installing postgresql'
        debian postgresql
        has_postgresql || { echo 'missing: initdb of PostgreSQL under /usr/lib/postgresql' >&2; exit 1; }
    fi
    require softhsm2-util debian softhsm2
    require pkcs11-tool debian opensc
    require openssl debian openssl
    export MIKEY_SAKKE_REQUIRE_POSTGRES=1 MIKEY_SAKKE_REQUIRE_SOFTHSM=1 MIKEY_SAKKE_REQUIRE_OPENSSL=1
}

load() { cargo run -q -p mikey-sakke-skm --locked --release --example load -- --turns 1 "$@"; }

# Runs a command with the URL of an empty database, on a socket of a server that ends with the command.
with_postgresql() ( # command...
    owner=()
    [ "$(id -u)" != 0 ] || owner=(runuser -u postgres --)
    cd /
    bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
    directory=$("${owner[@]}" mktemp -d)
    trap '"${owner[@]}" "$bin/pg_ctl" -D "$directory/data" -m immediate stop >/dev/null; rm -rf "$directory"' EXIT
    "${owner[@]}" "$bin/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --no-locale >/dev/null
    "${owner[@]}" "$bin/pg_ctl" -D "$directory/data" -o "-k $directory -c listen_addresses=" -l "$directory/log" -w start >/dev/null
    cd - >/dev/null
    "$@" "postgres://postgres@localhost/postgres?host=$directory"
)

operations() {
    require_for_operations
    step 'tests of operation'
    cargo test -p mikey-sakke-skm --locked --test operations -- --include-ignored
    step 'load: records, SQLite'
    load --requests 3000
    step 'load: records, HTTP/2, PostgreSQL'
    with_postgresql load --requests 3000 --http 2 --store
    step 'load: identity keys, SQLite'
    load --kind identity --requests 200
    step 'ten thousand users over the end of a key period'
    cargo test -p mikey-sakke-skm --locked --test service turn_over -- --ignored
}
