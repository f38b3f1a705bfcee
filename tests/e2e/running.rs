//! Starts the real binary and the simulator, and reads what a run has written.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tickrate::output::{recover, stored};
use tickrate::record::RequestRecord;
use tickrate::sim::{RunningSim, Sim, SimSpec};

/// The binary under test.
pub const TICKRATE: &str = env!("CARGO_BIN_EXE_tickrate");

/// The folder of files that tests read.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// The repository's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
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

/// The chat endpoint of a server.
pub fn chat(url: &str) -> String {
    format!("{url}/v1/chat/completions")
}

/// A run of `tickrate perf` in a folder of its own.
pub struct Run {
    pub folder: tempfile::TempDir,
    pub output: Output,
}

/// `tickrate` with `words` as its arguments, in `folder`. What a proxy variable would change is unset.
pub fn tickrate(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(TICKRATE);
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
        .env_remove("GITHUB_STEP_SUMMARY")
        .env("COLUMNS", "100")
        .current_dir(folder)
        .stdin(Stdio::null())
        .args(words.split_whitespace());
    command
}

/// Flags as words, or as a line that is divided at white space.
pub trait Flags {
    fn words(&self) -> Vec<String>;
}

impl Flags for str {
    fn words(&self) -> Vec<String> {
        self.split_whitespace().map(String::from).collect()
    }
}

impl Flags for String {
    fn words(&self) -> Vec<String> {
        self.as_str().words()
    }
}

impl<const N: usize> Flags for [&str; N] {
    fn words(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

impl Flags for [&str] {
    fn words(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

/// `tickrate perf` with the flags that every test needs and those in `flags`, on `url`.
pub fn command(folder: &Path, url: &str, flags: &(impl Flags + ?Sized)) -> Command {
    let mut command = tickrate(folder, "perf --model tiny --sleep-interval 0 --no-timestamp --name run");
    command.args(["--url", url]).args(flags.words());
    command
}

/// Runs `tickrate perf` to its end.
pub fn perf(url: &str, flags: &(impl Flags + ?Sized)) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = command(folder.path(), url, flags).output().expect("tickrate runs");
    Run { folder, output }
}

/// Runs `tickrate perf` to its end on the chat endpoint of a simulator.
pub fn perf_on(spec: SimSpec, flags: &(impl Flags + ?Sized)) -> Run {
    perf(&chat(&sim(spec).url()), flags)
}

/// Starts `tickrate perf` and leaves it running.
pub fn start(folder: &Path, url: &str, flags: &(impl Flags + ?Sized)) -> Child {
    let mut command = command(folder, url, flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tickrate starts")
}

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: i32) {
    // SAFETY: a plain system call; the child has not been waited for, so its id is its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// Waits until `done` says so; panics after 20 s.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
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

    /// The run itself, once it has ended as it should.
    pub fn ended(self, code: i32) -> Run {
        assert_eq!(self.code(), Some(code), "{}", self.printed());
        self
    }

    /// The records of all stages, in the order of their files.
    pub fn records(&self) -> Vec<RequestRecord> {
        records(&self.path())
    }

    /// The record of a run of one request.
    pub fn only_record(&self) -> RequestRecord {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{}", self.printed());
        records.remove(0)
    }

    pub fn json(&self, file: &str) -> Value {
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

/// The kind of failure and the message of a record.
pub fn failure(record: &RequestRecord) -> (&'static str, &str) {
    let failure = record.failure.as_ref().expect("a failed request");
    (failure.kind.name(), &failure.message)
}

/// The lines of a file of JSON lines.
pub fn json_lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a file of JSON lines");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { open.push(path) } else { out.push(path) }
        }
    }
    out.sort();
    out
}
