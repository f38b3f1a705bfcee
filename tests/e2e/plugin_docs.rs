//! The guide to plugins: every block of code in `docs/plugins.md` is run, or is what a program says, or is a
//! file of the repository. What stands for the reader's own is replaced: a server, a plugin, `…`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tickrate::sim::{RunningSim, SimSpec};

use crate::fetched::{bytes_reply, registry, sha256};
use crate::grants::has_wasi;
use crate::languages::tools;
use crate::raw_server::RawServer;
use crate::running::{TICKRATE, guest, perf, records, root, sim, tickrate};

/// How each block begins, in their order. A test of this file is about each.
const BLOCKS: [&str; 11] = [
    "tickrate perf --api ./my-server.wasm",
    "tickrate perf --api 'https://",
    "tickrate plugin new",
    "use tickrate_guest",
    "{ \"name\": \"my-server\"",
    "error: --dataset: the plugin \"synthetic-chat\"",
    "tickrate plugin build",
    "rust-api 0.1.0",
    "{\"frames\":",
    "tickrate perf --save-frames",
    "error: --dataset: the plugin \"reach\"",
];

fn blocks() -> Vec<String> {
    let guide = std::fs::read_to_string(root().join("docs/plugins.md")).unwrap();
    let parts = guide.split("\n```").skip(1).step_by(2);
    parts.map(|part| part.split_once('\n').unwrap().1.to_string() + "\n").collect()
}

fn block(begins: &str) -> String {
    assert!(BLOCKS.contains(&begins), "{begins} is in the list");
    blocks().into_iter().find(|block| block.starts_with(begins)).unwrap()
}

#[test]
fn every_block_has_a_test() {
    let blocks = blocks();
    assert_eq!(blocks.len(), BLOCKS.len(), "{blocks:#?}");
    for (block, begins) in blocks.iter().zip(BLOCKS) {
        assert!(block.starts_with(begins), "no test knows this block:\n{block}");
    }
}

/// A folder in which blocks run, with a cache of its own.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs lines as a shell does, with this `tickrate`; what they print.
    #[track_caller]
    fn runs(&self, lines: &str) -> String {
        let own = Path::new(TICKRATE).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).unwrap();
        let output = Command::new("bash")
            .args(["-euc", lines])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("VIRTUAL_ENV")
            .output()
            .unwrap();
        let [out, error] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(output.status.success(), "{lines}\n{out}\n{error}");
        out.into_owned()
    }
}

fn server() -> RunningSim {
    sim(SimSpec { ttft: "1".parse().unwrap(), itl: "0.1".parse().unwrap(), ..SimSpec::default() })
}

/// What the guide leaves out of a command of `perf`.
fn rest(url: &str) -> String {
    format!("--url {url} --model tiny --number 3 --max-tokens 4 --no-timestamp --name run")
}

#[test]
fn a_plugin_is_given_as_a_path() {
    let (place, server) = (Place::new(), server());
    std::fs::copy(guest("ollama-chat"), place.path("my-server.wasm")).unwrap();
    std::fs::copy(guest("synthetic-chat"), place.path("my-data.wasm")).unwrap();
    std::fs::write(place.path("data.jsonl"), "{}\n").unwrap();
    let block = block(BLOCKS[0]);
    let lines: Vec<&str> = block.lines().collect();
    let with = |line: &str, path: &str| line.replace('…', &rest(&format!("{}{path}", server.url())));
    place.runs(&with(lines[0], "/api/chat --prompt hello"));
    assert_eq!(records(&place.path("outputs/run")).iter().filter(|record| record.ok()).count(), 3);
    place.runs(&with(lines[1], "/v1/chat/completions").replace("--name run", "--name turns"));
    let made = records(&place.path("outputs/turns"));
    assert!(made.len() >= 3 && made.iter().any(|record| record.key.turn == 2), "{made:?}");
}

#[test]
fn a_plugin_is_given_as_a_url_or_a_place_in_a_registry() {
    let (place, server) = (Place::new(), server());
    let bytes = std::fs::read(guest("openai-chat")).unwrap();
    let served = bytes.clone();
    let web = RawServer::start(move |_| bytes_reply(&served));
    let (shelf, _) = registry(bytes.clone(), Arc::new(Mutex::new(Vec::new())));
    let block = block(BLOCKS[1])
        .replace("https://example.org", &web.url())
        .replace("072b06…", &sha256(&bytes))
        .replace("registry.example.org/team/my-server:1.2.0", &format!("{}/team/sums:v1", shelf.address));
    let url = format!("{}/v1/chat/completions --prompt hello", server.url());
    place.runs(&block.replace('…', &rest(&url)).replacen("--name run", "--name first", 1));
    for run in ["outputs/first", "outputs/run"] {
        assert_eq!(records(&place.path(run)).iter().filter(|record| record.ok()).count(), 3, "{run}");
    }
}

#[test]
fn the_first_plugin_is_made_built_checked_and_run() {
    let (place, server) = (Place::new(), server());
    let venv = tools().0.parent().unwrap();
    let shown = block(BLOCKS[2]);
    let block = shown
        .lines()
        .filter(|line| !line.starts_with("tickrate sim"))
        // The packages are installed once for all tests.
        .map(|line| {
            if line.contains("pip install") { format!("ln -s {} .venv", venv.display()) } else { line.into() }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let wanted = std::fs::read_to_string(root().join("tests/languages/requirements.txt")).unwrap();
    let wanted = wanted.lines().find(|line| line.starts_with("componentize-py")).unwrap();
    assert!(shown.contains(wanted), "the guide names the version that is tested");
    let said = place.runs(&block.replace("http://127.0.0.1:8801", &server.url()));
    assert!(said.contains("my-server 0.1.0\n") && said.contains("all passed"), "{said}");
    let made = records(&place.path("my-server/outputs"));
    assert_eq!((made.len(), made.iter().filter(|record| record.ok()).count()), (20, 20));
}

#[test]
fn files_that_the_guide_shows_are_files_of_the_examples() {
    let sums = std::fs::read_to_string(root().join("examples/arithmetic/src/lib.rs")).unwrap();
    assert!(sums.ends_with(&block(BLOCKS[3])), "{sums}");
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut shown = read(&block(BLOCKS[4]));
    shown["name"] = json!("python-api");
    let file = std::fs::read_to_string(root().join("examples/python-api/plugin.json")).unwrap();
    assert_eq!(shown, read(&file));
}

#[test]
fn an_option_that_does_not_fit_is_told_as_the_guide_says() {
    let dataset = guest("synthetic-chat");
    let flags = ["--dataset", dataset.to_str().unwrap(), "--dataset-args", r#"{"turns": 0}"#];
    let run = perf("http://127.0.0.1:9/v1/chat/completions", &flags).ended(2);
    assert_eq!(run.stderr(), block(BLOCKS[5]));
}

#[test]
fn projects_are_built_one_or_several() {
    let place = Place::new();
    place.runs(
        "tickrate plugin new --lang rust --kind dataset a; tickrate plugin new --lang rust --kind dataset b",
    );
    let block = block(BLOCKS[6]);
    let (one, several) = block.split_once('\n').unwrap();
    place.runs(&format!("export CARGO_TARGET_DIR=$PWD/target\n(cd a; {one}\n)\n{several}"));
    for file in ["target/guests/a.wasm", "DIR/a.wasm", "DIR/b.wasm"] {
        assert!(place.path(file).exists(), "{file}");
    }
}

#[test]
fn check_prints_what_the_guide_shows() {
    let said = tickrate(Path::new("."), "plugin check").arg(guest("rust-api")).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let mut lines = said.lines();
    for shown in block(BLOCKS[7]).lines().filter(|line| line.trim() != "…") {
        assert!(lines.any(|line| line == shown), "{shown}\n{said}");
    }
}

#[test]
fn recorded_replies_are_read_as_the_guide_writes_them() {
    let place = Place::new();
    std::fs::write(place.path("replies.jsonl"), block(BLOCKS[8])).unwrap();
    let plugin = guest("openai-chat");
    let said =
        place.runs(&format!("tickrate plugin check {} --replies replies.jsonl --json", plugin.display()));
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((report["replies"].as_array().map(Vec::len), &report["passed"]), (Some(3), &json!(true)));
}

#[test]
fn a_run_that_is_over_is_parsed_again() {
    let (place, server) = (Place::new(), server());
    std::fs::create_dir_all(place.path("target/guests")).unwrap();
    std::fs::copy(guest("openai-chat"), place.path("target/guests/my-server.wasm")).unwrap();
    let url = format!("{}/v1/chat/completions --prompt hello", server.url());
    let block = block(BLOCKS[9]).replace('…', &rest(&url)).replace("20260101_120000/my-model", "run");
    place.runs(&block);
    let made = records(&place.path("outputs/run-reparsed"));
    assert_eq!((made.len(), made.iter().filter(|record| record.ok()).count()), (3, 3));
}

#[test]
fn what_is_refused_is_told_as_the_guide_says() {
    if has_wasi() {
        let dataset = guest("reach");
        let options = r#"{"connect": "10.0.0.7:80"}"#;
        let flags = ["--dataset", dataset.to_str().unwrap(), "--dataset-args", options];
        let run = perf("http://127.0.0.1:9/v1/chat/completions", &flags).ended(2);
        assert_eq!(run.stderr(), block(BLOCKS[10]));
    }
}
