//! Configuration files, the environment and the plan of a run.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tickrate::sim::SimSpec;

use crate::raw_server::RawServer;
use crate::running::{chat, files, records, sim, tickrate};

const KEY: &str = "sk-very-secret-1234";

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn configured(folder: &Path, url: &str, flags: &str) -> Command {
    let text = format!(
        "model: filed\nurl: {url}\nprompt: hello\nparallel: [1, 2]\nnumber: [3, 4]\nmax_tokens: 5\n\
         sleep-interval: 0\nno-timestamp: true\nname: run\nextra-args: {{sim_x: 1}}\n"
    );
    std::fs::write(folder.join("run.yaml"), text).unwrap();
    tickrate(folder, &format!("perf --config run.yaml {flags}"))
}

#[test]
fn a_file_describes_a_run_and_what_is_typed_wins() {
    let folder = tempfile::tempdir().unwrap();
    let server = sim(SimSpec::default());
    // A file of that name is not read unless it is asked for.
    std::fs::write(folder.path().join(".env"), "TICKRATE_NUMBER=9\nTICKRATE_SEED=9\n").unwrap();
    let mut command = configured(folder.path(), &chat(&server.url()), "--number 2 5");
    command.env("TICKRATE_API_KEY", KEY).env("TICKRATE_SEED", "77").env("TICKRATE_MAX_TOKENS", "6");
    let printed = stdout(&command.output().unwrap());
    let run = folder.path().join("outputs/run");
    let records = records(&run);
    assert_eq!(records.len(), 7, "{printed}");
    assert_eq!(records[0].tokens.output, Some(6), "the environment wins over the file");
    let told: Value = serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!((&told["config"]["seed"], &told["config"]["model"]), (&77.into(), &"filed".into()));
    assert_eq!(told["config"]["connection"]["headers"][0], "Authorization=**********");
    for file in files(folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", file.display());
    }
    assert!(!printed.contains(KEY));
}

#[test]
fn a_plan_is_printed_without_a_word_to_the_server_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let server = RawServer::kind();
    let url = format!("{}/v1/chat/completions?token={KEY}", server.url());
    let flags =
        format!("--dry-run --api-key {KEY} --headers X-Fine=yes --extra-args {{\"api_key\":\"{KEY}\"}}");
    let mut command = configured(folder.path(), &url, &flags);
    let told = stdout(&command.args(["--prompt", &format!("Say {KEY}.")]).output().unwrap());
    assert!(!told.contains(KEY), "{told}");
    let told = told.replace(&server.url(), "URL");
    insta::assert_snapshot!("plan", told);
    assert!(server.heard().is_empty());
    assert!(!folder.path().join("outputs").exists());
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("slip.yaml", "model: m\nparalel: 5\n");
    write("uneven.toml", "model = \"m\"\nparallel = [1, 2]\nnumber = 5\n");
    write("broken.json", "{\"model\": ");
    write("run.ini", "model = m\n");
    let told = |words: &str| stderr(&tickrate(folder.path(), words).output().unwrap());
    let lines: Vec<String> = ["slip.yaml", "uneven.toml", "broken.json", "run.ini", "missing.yaml"]
        .map(|file| told(&format!("perf --config {file}")))
        .into();
    insta::assert_snapshot!("bad_configs", lines.concat());
    for file in ["slip.yaml", "uneven.toml", "broken.json"] {
        assert_eq!(told(&format!("config check {file}")), told(&format!("perf --config {file}")), "{file}");
    }
}

#[test]
fn a_file_to_begin_with_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["run.yaml", "run.toml", "run.json"] {
        stdout(&tickrate(folder.path(), &format!("config init {name}")).output().unwrap());
        let told = stdout(&tickrate(folder.path(), &format!("config check {name}")).output().unwrap());
        assert_eq!(
            told,
            format!("{name}: can be run; stages: 3, requests: 820; tickrate perf --dry-run shows the plan\n")
        );
    }
    let told = stderr(&tickrate(folder.path(), "config init run.yaml").output().unwrap());
    assert!(told.contains("\"run.yaml\" exists already"), "{told}");
}

#[test]
fn a_plan_may_come_through_the_standard_input() {
    let mut command = tickrate(Path::new("."), "perf --config - --dry-run");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = r#"{"model": "m", "prompt": "hello", "open_loop": true, "rate": 5, "number": 50}"#;
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let told = stdout(&child.wait_with_output().unwrap());
    assert!(told.contains("1 stage, 50 requests, about 10 s"), "{told}");
}
