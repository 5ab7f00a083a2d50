# `.ci/run ct`: nothing that the engine does takes a branch or an address from a secret.
# Under valgrind, with secrets marked: the backends that it can run, as the compiler makes them with optimisation and
# without. The AVX-512 backend, which it cannot run: by its machine code, and by its time.

ct() {
    ct_watched --release
    ct_watched
    ct_disassembly
    step 'time of the AVX-512 backend'
    if grep -q avx512ifma /proc/cpuinfo; then
        target/ct/release/timing
    else
        echo 'not checked: this processor has no AVX-512 IFMA'
        exit 1
    fi
}

# Secrets marked, under valgrind.
ct_watched() { # options of cargo
    require valgrind debian valgrind libc6-dbg
    step "secrets marked, under valgrind ${1:-without optimisation}"
    RUSTFLAGS='--cfg mikey_sakke_ct' \
        cargo build --locked --manifest-path ct/Cargo.toml --bin watched --target-dir target/ct/watched "$@"
    local profile=debug
    [ "${1:-}" != --release ] || profile=release
    valgrind --quiet --error-limit=no --log-file=target/ct/valgrind.log "target/ct/watched/$profile/watched"
}

# The machine code of the AVX-512 backend.
ct_disassembly() {
    step 'machine code of the AVX-512 backend'
    cargo build --locked --manifest-path ct/Cargo.toml --release --bins --target-dir target/ct
    target/ct/release/disassembly target/ct/release/timing
}
