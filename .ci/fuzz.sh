# `.ci/run fuzz [SECONDS [SANITIZER]]`: every fuzz target, each for so many seconds (4) from the committed seeds. A line for
# each says how often it ran and what it covered; for what is found, how to see it again.
# The sanitizer is none unless it is named: `address` is for changes to the code with unsafe, in src/backend.

fuzz() { # seconds, sanitizer
    nightly
    require cargo-fuzz cargo install --locked cargo-fuzz
    step 'fuzz targets'
    cargo fetch --locked --manifest-path fuzz/Cargo.toml
    local sanitizer=${2:-none} target log options failed=()
    cargo +nightly fuzz build -s "$sanitizer"
    log=$(mktemp)
    for target in $(cargo +nightly fuzz list); do
        options=("fuzz/corpus/$target")
        mkdir -p "fuzz/corpus/$target"
        case $target in
            documents) options+=(test-vectors/documents -- -dict=fuzz/documents.dict) ;;
            extract) options+=(fuzz/seeds/extract fuzz/seeds/decode --) ;;
            values) options+=(fuzz/seeds/decode --) ;;
            *) options+=("fuzz/seeds/$target" --) ;;
        esac
        if cargo +nightly fuzz run -s "$sanitizer" "$target" "${options[@]}" -max_total_time="${1:-4}" >"$log" 2>&1; then
            printf '%-12s %s, %s\n' "$target" "$(grep '^Done ' "$log")" "$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1)"
        else
            cat "$log"
            failed+=("$target")
        fi
    done
    rm "$log"
    [ ${#failed[@]} = 0 ] || { echo "found something: ${failed[*]}; each says above how to reproduce it" >&2; exit 1; }
}
