//! Looks for libwolfssl; if it is there with SAKKE and ECCSI, compiles the shim and sets `cfg(wolfssl)`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const SHIM: &str = "src/shim.c";
const PROBE: &str = "src/probe.c";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(wolfssl)");
    println!("cargo::rerun-if-env-changed=WOLFSSL_PREFIX");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-changed={PROBE}");
    let Some(output) = env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let prefix = env::var_os("WOLFSSL_PREFIX").map(PathBuf::from);

    let mut build = cc::Build::new();
    build.file(SHIM).std("c11").warnings(true).extra_warnings(true);
    if let Some(prefix) = &prefix {
        build.include(prefix.join("include"));
    }
    if links(&build, prefix.as_deref(), &output.join("probe")) && build.try_compile("shim").is_ok() {
        if let Some(library) = prefix.map(|prefix| prefix.join("lib")) {
            println!("cargo::rustc-link-search=native={}", library.display());
            println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{}", library.display());
        }
        println!("cargo::rustc-link-lib=dylib=wolfssl");
        println!("cargo::rustc-cfg=wolfssl");
    } else {
        // A file that never exists: cargo looks again at the next build, when the library may be installed.
        println!("cargo::rerun-if-changed={}", output.join("not-found").display());
    }
}

/// Whether a program that needs the library's headers and SAKKE and ECCSI functions compiles and links.
fn links(build: &cc::Build, prefix: Option<&Path>, program: &Path) -> bool {
    let Ok(compiler) = build.try_get_compiler() else { return false };
    let mut command = compiler.to_command();
    command.arg(PROBE).arg("-o").arg(program);
    if let Some(prefix) = prefix {
        command.arg("-L").arg(prefix.join("lib"));
    }
    command.arg("-lwolfssl").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
