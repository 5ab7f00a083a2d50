# What the steps of .ci/run share.

step() { printf '\n== %s\n' "$*"; }

require() { # command, what installs it
    command -v "$1" >/dev/null && return
    step "installing $1"
    "${@:2}" || { echo "missing: $1, and it could not be installed by: ${*:2}" >&2; exit 1; }
    command -v "$1" >/dev/null || { echo "missing: $1" >&2; exit 1; }
}

debian() { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; }

nightly() { rustup run nightly rustc --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal; }
