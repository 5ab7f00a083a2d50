# `.ci/run fuzz [SECONDS]`: every fuzz target, each for so many seconds (20) from the committed seeds.

fuzz() { # seconds
    nightly
    require cargo-fuzz cargo install --locked cargo-fuzz
    cargo +nightly fuzz build
    local target seeds
    for target in $(cargo +nightly fuzz list); do
        step "fuzz $target"
        case $target in
            documents) seeds=(test-vectors/documents -- -dict=fuzz/documents.dict) ;;
            extract | values) seeds=(fuzz/seeds/decode --) ;;
            key_material) seeds=(--) ;;
            *) seeds=("fuzz/seeds/$target" --) ;;
        esac
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -max_total_time="${1:-20}"
    done
}
