#!/usr/bin/env bash
# The key management service in one go: a trial domain in a temporary folder, an SKM-S on free loopback ports, key
# material over HTTP/2, two users of whom one sends the other a key, and the four error codes. Needs cargo and curl.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
fail() { echo "quick start: $*" >&2; exit 1; }

command -v curl >/dev/null || fail 'curl is missing'
curl --version | grep -q HTTP2 || fail 'this curl has no HTTP/2'

step 'build'
cargo build --release -p mikey-sakke-cli -p mikey-sakke-skm
bin=${CARGO_TARGET_DIR:-target}/release

dir=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
    rm -rf "$dir"
}
trap stop EXIT

skms() { "$bin/skms" --config "$dir/skms.toml" "$@"; }

fleet=urn:example:fleet
identity=urn:mikey-sakke:identity-keys
alice=sip:alice@example.org
bob=sip:bob@example.org

step 'a trial domain: certificates, token issuer, master secrets'
"$bin/skms" init --dir "$dir" --trial
"$bin/mikey-sakke" kms init --uri kms.example.org --out "$dir/master.json"
skms domain import "$dir/master.json"

step 'the server'
# The program itself and not the function, whose process would be another one.
"$bin/skms" --config "$dir/skms.toml" serve --trial >"$dir/ready" 2>"$dir/log" &
server=$!
for _ in $(seq 100); do
    [ -s "$dir/ready" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; fail 'the server ended'; }
    sleep 0.1
done
cat "$dir/ready"
port() { sed -n "s/.*\"$1\":\"127.0.0.1:\([0-9]*\)\".*/\1/p" "$dir/ready"; }
km_uu=https://localhost:$(port km_uu)
km_s=https://localhost:$(port km_s)

token() { # user, services...
    local user=$1 arguments=()
    shift
    for service in "$@"; do arguments+=(--service "$service"); done
    skms token --sub "$user" --client-id handset --scope seal:key-management --user "$user" "${arguments[@]}"
}

request() { # service, members of the request besides the fixed ones
    printf '{"Version":"1.0.0","SKmsUri":"sip:skms.example.org","ServiceID":"%s"%s,"DateTime":%s}' "$1" "$2" "$(date +%s)"
}

ask() { # expected status, expected text, listener, curl options...
    local expected=$1 text=$2 listener=$3 answer
    shift 3
    answer=$(curl --silent --show-error --http2 --cacert "$dir/ca.pem" --write-out '\nHTTP/%{http_version} %{http_code}' \
        --header 'Content-Type: application/json' "$@" "$listener/seal-km/v1/km-request")
    echo "$answer"
    [[ $answer == *"HTTP/2 $expected" && $answer == *"$text"* ]] || fail "expected HTTP/2 $expected and $text"
}

step 'key material of a service, which its operator stores and a handset and a VAL server ask for'
printf 'fleet key material' >"$dir/payload"
skms provision put --service "$fleet" --user-uri sip:fleet@example.org --payload-file "$dir/payload"
handset=$(token "$alice" "$fleet" "$identity")
ask 200 'fleet key material' "$km_uu" --header "Authorization: Bearer $handset" --data "$(request "$fleet" '')"
val=$(skms token --sub val-server --client-id val-server --scope seal:key-management --service "$fleet")
ask 200 'fleet key material' "$km_s" --cert "$dir/val-server.pem" --key "$dir/val-server.key" \
    --header "Authorization: Bearer $val" --data "$(request "$fleet" '')"

step 'two SKM-Cs: alice sends bob a key'
skmc() { # user, arguments...
    token "$1" "$identity" >"$dir/token"
    "$bin/skmc" --server "$km_uu" --skms-uri sip:skms.example.org --root "$dir/ca.pem" --token-file "$dir/token" "${@:2}"
}
skmc "$alice" send --user "$alice" --to "$bob" --purpose 1 --out "$dir/message" --save-key "$dir/sent.json"
skmc "$bob" receive "$dir/message" --user "$bob" --save-key "$dir/received.json"
cmp "$dir/sent.json" "$dir/received.json" || fail 'bob has another key than alice'
"$bin/mikey-sakke" inspect "$dir/message" | sed -n 1,12p

step 'ErrorCode 02: there is no such key material'
sleep 1
ask 404 '"ErrorCode":"02"' "$km_uu" --header "Authorization: Bearer $handset" --data "$(request "$fleet" ",\"UserID\":\"$alice\"")"
step 'ErrorCode 03: no access token'
ask 401 '"ErrorCode":"03"' "$km_uu" --data "$(request "$fleet" '')"
step 'ErrorCode 04: the material of another user'
ask 403 '"ErrorCode":"04"' "$km_uu" --header "Authorization: Bearer $handset" --data "$(request "$fleet" ",\"UserID\":\"$bob\"")"
step 'ErrorCode 01: the server has lost its store'
mkdir "$dir/away"
mv "$dir"/skms.db* "$dir/away"
ask 500 '"ErrorCode":"01"' "$km_uu" --header "Authorization: Bearer $handset" --data "$(request "$fleet" '')"
mv "$dir"/away/* "$dir"

step 'the audit log is whole'
skms audit list
skms audit verify

step 'done'
