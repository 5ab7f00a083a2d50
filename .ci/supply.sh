# `.ci/run supply`: what the programs are made of. Licences, sources and duplicate versions of all dependencies and,
# where their database can be had, advisories (deny.toml); builds with the oldest Rust, and with the oldest
# dependencies, that the manifests promise; the API against the last tag; and a list of all parts of what is released,
# in target/sbom. That each direct dependency has its reason on record is among the tests (tests/dependencies.rs).

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1"; } # manifest

# Cargo of the oldest Rust that a manifest promises.
cargo_of() { # manifest, arguments of cargo...
    local version
    version=$(rust_version "$1")
    step "Rust $version: ${*:2}"
    rustup toolchain install "$version" --profile minimal || { echo "missing: Rust $version" >&2; return 1; }
    cargo "+$version" "${@:2}"
}

# In a copy of the tree, as it changes the lock file.
oldest_dependencies() (
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    export CARGO_TARGET_DIR=$PWD/target/oldest
    git ls-files -z | xargs -0 cp --parents -t "$tree"
    cd "$tree"
    cargo +nightly update -Z direct-minimal-versions
    cargo check -p mikey-sakke -p mikey-sakke-cli --all-features --locked
)

# CycloneDX, in JSON.
parts_list() {
    local manifest
    rm -rf target/sbom
    mkdir -p target/sbom
    cargo cyclonedx --format json --all-features --target all
    # It writes beside each manifest.
    for manifest in Cargo.toml crates/{cli,skm}/Cargo.toml; do
        mv "$(dirname "$manifest")"/*.cdx.json target/sbom/
    done
    rm crates/*/*.cdx.json
    # The parts that are of this tree are named by where they are in it.
    sed -i "s|path+file://$PWD|path+file://mikey-sakke|g" target/sbom/*.cdx.json
    ls target/sbom
}

supply() {
    local tag
    nightly
    require cargo-deny cargo install --locked cargo-deny
    require cargo-cyclonedx cargo install --locked cargo-cyclonedx

    step 'licences, duplicate versions, sources'
    cargo deny --workspace --locked check -D warnings licenses bans sources
    step 'advisories'
    if cargo deny fetch db; then
        cargo deny --workspace --locked check --disable-fetch advisories
    else
        echo 'not checked: advisories, as the database of RustSec cannot be fetched'
    fi

    cargo_of Cargo.toml check -p mikey-sakke -p mikey-sakke-cli --all-features --locked
    cargo_of Cargo.toml check -p mikey-sakke --no-default-features --locked
    cargo_of crates/skm/Cargo.toml check -p mikey-sakke-skm --all-features --locked
    step 'oldest dependencies'
    oldest_dependencies

    step 'API against the last tag'
    if tag=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); then
        require cargo-semver-checks cargo install --locked cargo-semver-checks
        cargo semver-checks -p mikey-sakke --all-features --baseline-rev "$tag"
    else
        echo 'not checked: there is no tag to compare with'
    fi

    step 'parts of what is released'
    parts_list
}
