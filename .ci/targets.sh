# `.ci/run targets`: the engine on other processors, and under Miri.
#
# i686 takes the limbs of 32 bits, powerpc64 the other order of octets; they and aarch64 run every test of the engine,
# examples of the documentation included, and every vector. Rust links them for musl by itself; QEMU runs what this
# machine cannot. The portable backend is all that these processors have.
#
# Miri looks for undefined behaviour, with provenance kept strictly, in the codec, the portable backend, and what the
# tests of lanes reach of the backend for AVX-512 IFMA, whose two multiply-adds it takes in words
# (src/backend/ifma/madd.rs). It takes seconds for what the processor does in microseconds: whole schemes are left out.
# What it cannot see is assembly, that of src/backend/adx.rs and p256_adx.rs: the tests of `field` compare that with big
# integers at the edges, those of `backends` with the portable backend, and `.ci/run ct` has it under valgrind.

# Cargo for musl on a processor.
on_musl() { # architecture, command of cargo, arguments...
    local target=$1-unknown-linux-musl variable
    variable=CARGO_TARGET_${target^^}
    variable=${variable//-/_}
    local settings=("${variable}_LINKER=rust-lld" CARGO_PROFILE_TEST_DEBUG=none)
    local emulator=
    case $1:$(uname -m) in
        i686:x86_64 | aarch64:aarch64) ;;
        i686:*) emulator=qemu-i386 ;;
        aarch64:*) emulator=qemu-aarch64 ;;
        powerpc64:*) emulator=qemu-ppc64 ;;
    esac
    # By itself it would be linked to the C library of a system.
    local linked='-C target-feature=+crt-static -C link-self-contained=yes'
    [ "$1" != powerpc64 ] || settings+=("${variable}_RUSTFLAGS=$linked" "${variable}_RUSTDOCFLAGS=$linked")
    if [ -n "$emulator" ]; then
        require "$emulator" debian qemu-user
        settings+=("${variable}_RUNNER=$emulator")
    fi
    rustup target add "$target"
    env "${settings[@]}" cargo "$2" --locked --target "$target" "${@:3}"
}

# Where nothing but `alloc` is.
without_std() { # build or check
    local target
    for target in thumbv7em-none-eabi wasm32-unknown-unknown; do
        step "without std: $target"
        rustup target add "$target"
        cargo "$1" -p mikey-sakke --locked --no-default-features --target "$target"
        cargo "$1" -p mikey-sakke --locked --no-default-features --features km --target "$target"
    done
}

# Miri, on the tests of the engine that a filter names, one case of each property.
miri() { # arguments of cargo test...
    MIRIFLAGS='-Zmiri-disable-isolation -Zmiri-strict-provenance' PROPTEST_CASES=1 \
        cargo +nightly miri test -p mikey-sakke --locked --all-features "$@"
}

targets() {
    nightly
    rustup component add --toolchain nightly miri rust-src
    without_std build

    step 'i686'
    on_musl i686 test -p mikey-sakke -p mikey-sakke-vectors --all-features
    step 'i686: command line'
    on_musl i686 test -p mikey-sakke-cli --test cli --test documented --test inspect --test join --test xml
    local architecture
    for architecture in aarch64 powerpc64; do
        step "$architecture"
        PROPTEST_CASES=4 on_musl "$architecture" test -p mikey-sakke -p mikey-sakke-vectors --all-features
    done

    step 'Miri: the codec'
    miri --test mikey -- error_message:: payloads:: properties::arbitrary sdp::
    step 'Miri: the portable backend'
    miri --lib -- field::tests::fp2 field::tests::residues field::tests::sums_of field::p256::tests::all
    step 'Miri: AVX-512 IFMA'
    RUSTFLAGS='-C target-feature=+avx512f,+avx512ifma' miri --lib -- field::tests::lanes::lanes_are field::tests::lanes::pairs
}
