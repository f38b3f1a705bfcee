//! Starts the real binary and the simulator, and reads what a run has written.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use tickrate::output::{recover, stored};
use tickrate::record::RequestRecord;
use tickrate::sim::{RunningSim, Sim, SimSpec};

/// The binary under test.
pub const TICKRATE: &str = env!("CARGO_BIN_EXE_tickrate");

/// The folder of files that tests read.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// A guest of the repository, which `cargo xtask guests` builds.
pub fn guest(name: &str) -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from);
    let path = target.join("guests").join(format!("{name}.wasm"));
    assert!(path.exists(), "there is no {}: build the guests first with cargo xtask guests", path.display());
    path
}

/// A simulator in this process.
pub fn sim(spec: SimSpec) -> RunningSim {
    Sim::start(spec).expect("the simulator starts")
}

/// A run of `tickrate perf` in a folder of its own.
pub struct Run {
    pub folder: tempfile::TempDir,
    pub output: Output,
}

/// `tickrate perf` with the flags that every test needs and those in `flags`, on `url`.
pub fn command(folder: &Path, url: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(TICKRATE);
    command.current_dir(folder).args(["perf", "--model", "tiny", "--url", url, "--sleep-interval", "0"]);
    command.args(["--no-timestamp", "--name", "run"]).args(flags);
    command
}

/// Runs `tickrate perf` to its end.
pub fn perf(url: &str, flags: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = command(folder.path(), url, flags).output().expect("tickrate runs");
    Run { folder, output }
}

/// Starts `tickrate perf` and leaves it running.
#[allow(dead_code)]
pub fn start(folder: &Path, url: &str, flags: &[&str]) -> Child {
    use std::process::Stdio;
    let mut command = command(folder, url, flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tickrate starts")
}

impl Run {
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("outputs/run")
    }

    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Everything that was printed, for the message of a failed assertion.
    pub fn printed(&self) -> String {
        format!("exit {:?}\n{}\n{}", self.code(), self.stdout(), self.stderr())
    }

    /// The records of all stages, in the order of their files.
    pub fn records(&self) -> Vec<RequestRecord> {
        records(&self.path())
    }

    pub fn json(&self, file: &str) -> serde_json::Value {
        let text = std::fs::read_to_string(self.path().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}\n{}", self.printed()));
        serde_json::from_str(&text).expect("valid JSON")
    }
}

/// All records below a folder.
pub fn records(folder: &Path) -> Vec<RequestRecord> {
    let mut out = Vec::new();
    for file in recover::find_records(folder) {
        let stored = stored::read(&file).expect("a records file");
        out.extend(stored.records.map(|record| record.expect("a record")));
    }
    out
}
