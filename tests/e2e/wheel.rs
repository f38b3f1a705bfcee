//! The Python package: the wheel, installed into an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tickrate::sim::SimSpec;

use crate::running::{TICKRATE, chat, root, sim};

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The newest wheel that `cargo xtask wheel` has built.
fn wheel() -> PathBuf {
    let entries = std::fs::read_dir(target().join("wheels")).into_iter().flatten().flatten();
    let wheels =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "whl"));
    let newest = wheels.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    newest.expect("there is no wheel: build it first with cargo xtask wheel")
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

/// The interpreter of an environment with the wheel and what `requirements` names.
pub fn environment(requirements: &str, name: &str) -> PathBuf {
    let made =
        run(Command::new("python3").current_dir(root()).args(["tests/python/venv.py", requirements, name]));
    let python = PathBuf::from(made.lines().next().unwrap_or_default());
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall"];
    run(Command::new(&python).args(install).arg(wheel()));
    python
}

#[test]
fn the_wheel_gives_a_command_and_a_module() {
    let python = environment("tests/python/requirements-package.txt", "package-venv");
    let server = sim(SimSpec::default());
    let mut tests = Command::new(python);
    // From another folder, so that the sources are not what is imported.
    tests.current_dir(Path::new("/")).arg(root().join("tests/python/test_package.py"));
    let said = run(tests.env("SIM_URL", chat(&server.url())).env_remove("TICKRATE_BINARY"));
    assert!(said.contains("Ran 10 tests") && said.contains("OK"), "{said}");
}

#[test]
fn each_visualizer_shows_a_run_and_none_costs_one() {
    let python = environment("tests/python/requirements-visualizers.txt", "visualizer-venv");
    let server = sim(SimSpec::default());
    let mut tests = Command::new(python);
    tests.current_dir(Path::new("/")).arg(root().join("tests/python/test_visualizers.py"));
    let said = run(tests.env("SIM_URL", chat(&server.url())));
    assert!(said.contains("Ran 6 tests") && said.contains("OK"), "{said}");
}

#[test]
fn what_is_derived_from_the_flags_is_up_to_date() {
    run(Command::new("python3").current_dir(root()).args(["python/generate.py", "--check", TICKRATE]));
}
