//! Which Rust toolchain can build for WebAssembly on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::BuildError;

/// What the user wants to build with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Whatever there is: rustup first.
    #[default]
    Auto,
    /// The toolchain of rustup, with its target `wasm32-wasip2`.
    Rustup,
    /// Debian's packages `rustc-web`, `cargo-web`, `rust-web-src` and `lld-22`.
    Debian,
}

/// A toolchain that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// Builds components by itself.
    Rustup,
    /// Builds core modules, the standard library among them.
    Debian,
}

/// Debian installs the compiler for the web here, whatever else comes first in the path.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PATH: &str = "/usr/bin:/bin";

impl Toolchain {
    /// A command that runs its cargo, free of what an outer cargo has set.
    pub(super) fn cargo(self) -> Command {
        let mut command = match self {
            Toolchain::Rustup => Command::new("cargo"),
            Toolchain::Debian => Command::new(DEBIAN_CARGO),
        };
        let inherited = [
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
        ];
        for name in inherited {
            command.env_remove(name);
        }
        if self == Toolchain::Debian {
            // RUSTC_BOOTSTRAP allows -Zbuild-std, without which there is no standard library.
            command.env("PATH", DEBIAN_PATH).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            if let Some(linker) = debian_linker() {
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
        command
    }

    /// The flags with which its cargo builds for WebAssembly.
    pub(super) fn flags(self) -> &'static [&'static str] {
        match self {
            Toolchain::Rustup => &["--target", "wasm32-wasip2"],
            Toolchain::Debian => &["--target", "wasm32-unknown-unknown", "-Zbuild-std=std,panic_abort"],
        }
    }
}

/// The toolchain that `choice` allows and the machine has.
pub(super) fn find(choice: Choice) -> Result<Toolchain, BuildError> {
    let mut missing = Vec::new();
    if choice != Choice::Debian {
        match rustup() {
            Ok(()) => return Ok(Toolchain::Rustup),
            Err(reason) => missing.push(reason),
        }
    }
    if choice != Choice::Rustup {
        match debian() {
            Ok(()) => return Ok(Toolchain::Debian),
            Err(reason) => missing.push(reason),
        }
    }
    Err(BuildError::NoToolchain(missing.join(", ")))
}

fn rustup() -> Result<(), String> {
    if has_target() {
        return Ok(());
    }
    Err("rustc has no target wasm32-wasip2".into())
}

/// Whether the compiler in the path has a standard library for `wasm32-wasip2`.
fn has_target() -> bool {
    let output =
        Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip2"]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn debian() -> Result<(), String> {
    for file in [DEBIAN_CARGO, DEBIAN_RUSTC] {
        if !Path::new(file).exists() {
            return Err(format!("no {file}"));
        }
    }
    if debian_linker().is_none() {
        return Err("no wasm-ld in /usr/bin".into());
    }
    let output = Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).output();
    let sysroot = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match sysroot {
        Ok(root) if Path::new(&root).join("lib/rustlib/src/rust/library").is_dir() => Ok(()),
        _ => Err("no sources of the standard library".into()),
    }
}

/// The linker for WebAssembly: Debian has it by the name of its version, and no `rust-lld`.
fn debian_linker() -> Option<PathBuf> {
    let entries = std::fs::read_dir("/usr/bin").ok()?;
    let version = |name: &str| match name.strip_prefix("wasm-ld")? {
        "" => Some(0),
        version => version.strip_prefix('-')?.parse::<u32>().ok(),
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((version(path.file_name()?.to_str()?)?, path))
        })
        .max_by_key(|(version, _)| *version)
        .map(|(_, path)| path)
}
