//! The project's own commands, which need nothing but Rust to start:
//! `cargo xtask demo` runs the main job once, `cargo xtask test` runs all tests.

mod demo;
mod setup;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask COMMAND

  demo     set everything up, run a sweep against the built-in simulator, one stage of it
           through WASM plugins, and say where the records are
  test     set everything up and run all tests
  wheel    build the Python package around the tool, into target/wheels
  guests   build the WASM plugins of the repository into target/guests
  setup    see to it that WASM plugins can be built on this machine, and say what is done
  picture  measure the quick start's sweep, and put its report's picture and its summary into the README
  lint     formatting, clippy, documentation and licences";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let done = match command.as_str() {
        "demo" => demo::run(),
        "test" => test(),
        "wheel" => tickrate().and_then(|_| wheel()),
        "guests" => guests().map(|_| ()),
        "setup" => setup::guest_toolchain(),
        "picture" => picture(),
        "lint" => lint(),
        _ => Err(USAGE.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder that everything is built in.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Shows a command, runs it, and fails if it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let shown = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    eprintln!("→ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {shown}")),
        Err(error) => Err(format!("cannot run {shown}: {error}")),
    }
}

/// Builds the tool and returns where it is.
fn tickrate() -> Result<PathBuf, String> {
    run(cargo().args(["build", "--release", "--locked", "--package", "tickrate"]))?;
    Ok(target().join("release/tickrate"))
}

/// Builds the tool, and with it all guests: the plugins and those that tests need.
fn guests() -> Result<PathBuf, String> {
    setup::guest_toolchain()?;
    let tickrate = tickrate()?;
    let out = target().join("guests");
    let mut build = Command::new(&tickrate);
    build.current_dir(root()).args(["plugin", "build", "plugins", "--out"]).arg(&out);
    run(&mut build)?;
    Ok(tickrate)
}

/// Builds the Python package around the binary that is built already: the same profile and the same
/// flags, so that nothing is compiled twice.
fn wheel() -> Result<(), String> {
    let mut venv = Command::new("python3");
    venv.current_dir(root()).args(["tests/python/venv.py", "python/requirements-build.txt", "wheel-venv"]);
    let made = venv.output().map_err(|error| format!("cannot run python3: {error}"))?;
    let python = String::from_utf8_lossy(&made.stdout).trim().to_string();
    if python.is_empty() {
        return Err(format!("no environment for maturin: {}", String::from_utf8_lossy(&made.stderr).trim()));
    }
    let mut maturin = Command::new(python);
    maturin.current_dir(root().join("python")).env("CARGO_TARGET_DIR", target());
    maturin.args(["-m", "maturin", "build", "--profile", "release", "--compatibility", "linux", "--out"]);
    run(maturin.arg(target().join("wheels")))
}

fn test() -> Result<(), String> {
    setup::c_compiler()?;
    guests()?;
    wheel()?;
    setup::browser()?;
    sdk()?;
    run(cargo().args(["test", "--release", "--locked", "--workspace"]))
}

/// Tests the crate that plugins are written with, its documentation included, and the examples in Rust:
/// a workspace of its own, whose tests run on this machine and not in WebAssembly.
fn sdk() -> Result<(), String> {
    let mut tests = cargo();
    tests.env("CARGO_TARGET_DIR", target().join("guest-tests"));
    tests.args(["test", "--locked", "--manifest-path", "plugins/Cargo.toml"]);
    tests.args(["--features", "tickrate-guest/json"]);
    run(tests.args(["--package", "tickrate-guest", "--package", "rust-api", "--package", "rust-dataset"]))
}

fn picture() -> Result<(), String> {
    setup::browser()?;
    let tickrate = tickrate()?;
    run(Command::new("python3").current_dir(root()).arg("tests/browser/picture.py").arg(tickrate))
}

fn lint() -> Result<(), String> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--release",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut doc = cargo();
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc.args(["doc", "--release", "--locked", "--no-deps", "--package", "tickrate"]))?;
    run(Command::new("cargo-deny").current_dir(root()).args(["check", "licenses", "bans", "sources"]))
}
