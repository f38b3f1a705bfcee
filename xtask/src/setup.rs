//! What building WASM plugins needs, and how it gets onto a machine.

use std::path::Path;
use std::process::Command;

/// Debian's packages that can build Rust for WebAssembly where rustup has no target for it.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// Makes sure that WASM plugins can be built: with rustup's target where that can be had, else with
/// Debian's packages. It says what it installs before it does.
pub fn guest_toolchain() -> Result<(), String> {
    let forced = std::env::var("TICKRATE_PLUGIN_TOOLCHAIN").unwrap_or_default();
    if forced != "debian" && (has_target() || add_target()) {
        return Ok(());
    }
    if DEBIAN.iter().all(|package| installed(package)) {
        return Ok(());
    }
    if forced != "rustup" && on_path("apt-get") {
        return install_debian();
    }
    Err("WASM plugins cannot be built on this machine: \"rustup target add wasm32-wasip2\" does not work here, \
         and it is no Debian whose packages could be used instead. Install that target by other means, or run \
         on Debian 12 or later."
        .to_string())
}

/// Whether the compiler in use has the target's standard library.
fn has_target() -> bool {
    let output =
        Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip2"]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn add_target() -> bool {
    if !on_path("rustup") {
        return false;
    }
    eprintln!("set-up: adding rustup's target wasm32-wasip2, for WASM plugins");
    // Where the network drops packets, rustup would wait for a very long time.
    let mut add = Command::new("timeout");
    add.args(["120", "rustup", "target", "add", "wasm32-wasip2"]);
    add.status().is_ok_and(|status| status.success()) && has_target()
}

/// Makes sure that there is a browser to open reports with.
pub fn browser() -> Result<(), String> {
    const NAMES: [&str; 5] =
        ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"];
    if NAMES.into_iter().any(on_path) {
        return Ok(());
    }
    if !on_path("apt-get") {
        return Err("the tests open reports in Chromium, and there is none: install it by other means".into());
    }
    eprintln!("set-up: installing Debian's package chromium-headless-shell, to test reports with");
    install(&["chromium-headless-shell", "fonts-dejavu-core"])
}

/// Debian's packages that build plugins in C and C++.
const DEBIAN_C: [&str; 5] = ["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32", "libc++-dev-wasm32"];

/// Makes sure that the tests of plugins in C and C++ have clang where Debian has it. Elsewhere a WASI SDK
/// in `WASI_SDK_PATH` is what they take, and without it they fail.
pub fn c_compiler() -> Result<(), String> {
    if !on_path("apt-get") || DEBIAN_C.iter().all(|package| installed(package)) {
        return Ok(());
    }
    eprintln!(
        "set-up: plugins in C and C++ are part of the tests; installing Debian's packages {}",
        DEBIAN_C.join(" ")
    );
    install(&DEBIAN_C)
}

fn install_debian() -> Result<(), String> {
    let packages = DEBIAN.join(" ");
    eprintln!("set-up: rustup's target wasm32-wasip2 cannot be had; installing Debian's packages {packages}");
    install(&DEBIAN)
}

/// Installs Debian's packages.
fn install(packages: &[&str]) -> Result<(), String> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        super::run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update"])?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt(&install.into_iter().chain(packages.iter().copied()).collect::<Vec<_>>())
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query").args(["-W", package]).output().is_ok_and(|output| output.status.success())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
