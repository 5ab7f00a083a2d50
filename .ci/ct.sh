# `.ci/run ct`: nothing that the engine does takes a branch or an address from a secret.
# Under valgrind, with secrets marked: the backends that it can run, as the compiler makes them with optimisation and
# without. The AVX-512 backend, which it cannot run: by its machine code, and by its time.

ct() {
    ct_gate
    step 'secrets marked, under valgrind, not optimised'
    ct_watched debug
    step 'time of the AVX-512 backend'
    grep -q avx512ifma /proc/cpuinfo || { echo 'missing: a processor with AVX-512 IFMA' >&2; exit 1; }
    cargo build --locked --manifest-path ct/Cargo.toml --target-dir target/ct --release --bin timing --bin disassembly
    target/ct/release/disassembly target/ct/release/timing
    target/ct/release/timing
}

# What fits the default run.
ct_gate() {
    require valgrind debian valgrind libc6-dbg
    step 'secrets marked, under valgrind'
    ct_watched release --release
    step 'machine code of the AVX-512 backend'
    target/ct/watched/release/disassembly target/ct/watched/release/watched
}

ct_watched() { # profile, options of cargo
    RUSTFLAGS='--cfg mikey_sakke_ct' cargo build --locked --manifest-path ct/Cargo.toml --target-dir target/ct/watched \
        --bin watched --bin disassembly "${@:2}"
    valgrind --quiet --error-limit=no --log-file=target/ct/valgrind.log "target/ct/watched/$1/watched" ||
        { head -n 100 target/ct/valgrind.log >&2; exit 1; }
}
