//! `--plugin-allow`: what a plugin is refused, how the user learns of it, and that each grant opens
//! that one thing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use crate::raw_server::RawServer;
use crate::running::{chat, guest, tickrate};

/// A server that turns what it hears around.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut heard = String::new();
            let _ = stream.read_to_string(&mut heard);
            let _ = stream.write_all(heard.chars().rev().collect::<String>().as_bytes());
        }
    });
    address
}

/// Whether the guest is built for WASI; where its toolchain has none there is nothing to grant.
pub fn has_wasi() -> bool {
    let output = tickrate(Path::new("."), "plugin inspect").arg(guest("reach")).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("wasi:sockets/tcp@")
}

/// A run whose dataset tries what `options` say.
fn reaching(folder: &Path, options: serde_json::Value, grants: &[&str]) -> Output {
    let (server, guest) = (RawServer::kind(), guest("reach"));
    let mut command = tickrate(folder, "perf --model tiny --no-timestamp --name run --number 30 --save-text");
    command.args(["--url", &chat(&server.url()), "--no-stream", "--dataset", guest.to_str().unwrap()]);
    command.args(["--dataset-args", &options.to_string()]).env("TICKRATE_TEST_TOKEN", "sk-granted-value");
    for grant in grants {
        command.args(["--plugin-allow", grant]);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the dataset found, by the label of its try.
fn found(folder: &Path, what: &str) -> Option<String> {
    let records = crate::running::records(&folder.join("outputs/run"));
    let tried = |record: &&tickrate::record::RequestRecord| {
        record.labels.iter().any(|(name, value)| name == "try" && value == what)
    };
    records.iter().find(tried).and_then(|record| record.prompt.clone())
}

#[test]
fn what_is_refused_is_named_with_the_flag_that_grants_it() {
    if !has_wasi() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = (echo(), folder.path().canonicalize().unwrap());
    std::fs::write(path.join("in.txt"), "within").unwrap();
    let net = format!("net={address}");
    for (options, told) in [
        (
            serde_json::json!({"connect": address}),
            format!("(it was refused {net}; grant it with --plugin-allow {net})"),
        ),
        (
            serde_json::json!({"connect": "localhost:9"}),
            "(it was refused net=localhost; grant it with --plugin-allow net=localhost)".into(),
        ),
        (
            serde_json::json!({"variable": "TICKRATE_TEST_TOKEN"}),
            "grant it with --plugin-allow env=NAME)".into(),
        ),
        (
            serde_json::json!({"file": path.join("in.txt")}),
            "(it was refused dir=PATH; grant it with --plugin-allow dir=PATH)".into(),
        ),
    ] {
        let output = reaching(folder.path(), options, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.starts_with("error: --dataset: the plugin \"reach\" could not be opened: no "),
            "{error}"
        );
        assert!(error.contains(&told) && error.lines().count() == 1, "{told}: {error}");
    }
}

#[test]
fn each_grant_opens_one_thing_and_is_in_run_json_without_values() {
    if !has_wasi() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = (echo(), folder.path().canonicalize().unwrap());
    std::fs::create_dir(path.join("shared")).unwrap();
    std::fs::write(path.join("shared/in.txt"), "within").unwrap();
    let options = serde_json::json!({
        "connect": address, "variable": "TICKRATE_TEST_TOKEN", "file": path.join("shared/in.txt"),
        "written": path.join("shared/out.txt"), "optional": true,
    });
    let dir = format!("dir={}", path.join("shared").display());
    let net = format!("net={address}");
    let output = reaching(folder.path(), options.clone(), &[&dir, &net, "env=TICKRATE_TEST_TOKEN"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let got = |what: &str| found(folder.path(), what).unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(got("connect"), "olleh");
    assert_eq!(got("file"), "within");
    assert_eq!(got("variable"), "sk-granted-value", "the plugin put it into a prompt itself");
    assert_eq!(got("written"), "denied", "a folder is granted to read unless it says :rw");
    assert!(!path.join("shared/out.txt").exists());
    let run = std::fs::read_to_string(folder.path().join("outputs/run/run.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&run).unwrap();
    assert_eq!(json["config"]["plugins"]["allow"], serde_json::json!([dir, net, "env=TICKRATE_TEST_TOKEN"]));
    assert!(!run.contains("sk-granted-value"), "{run}");

    let other = tempfile::tempdir().unwrap();
    let output = reaching(other.path(), options, &[&format!("{dir}:rw"), "net=10.0.0.1"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let got = |what: &str| found(other.path(), what).unwrap();
    assert_eq!((got("connect").as_str(), got("written").as_str()), ("denied", "done"));
    assert_eq!(std::fs::read_to_string(path.join("shared/out.txt")).unwrap(), "mine");
    let log = std::fs::read_to_string(other.path().join("outputs/run/benchmark.log")).unwrap_or_default();
    assert!(!log.contains("sk-granted-value"), "{log}");
}

#[test]
fn a_server_that_is_silent_does_not_hold_a_plugin_beyond_its_time() {
    if !has_wasi() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let guest = guest("reach");
    let output = tickrate(Path::new("."), "plugin check --plugin-timeout 0.05 --plugin-allow")
        .args([&format!("net={address}"), "--dataset-args"])
        .arg(serde_json::json!({"connect": address}).to_string())
        .arg(guest)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("ran longer than 0.5 s in \"open\""), "{}", said(&output));
}

#[test]
fn a_grant_that_cannot_be_given_ends_the_run_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    for (grant, told) in [
        ("file=/etc", "\"file=/etc\" is none of dir=PATH, dir=PATH:rw, env=NAME, net=HOST and net=HOST:PORT"),
        ("env=TICKRATE_NOT_SET_AT_ALL", "\"env=TICKRATE_NOT_SET_AT_ALL\": the variable is not set"),
        ("dir=/nowhere/at/all", "\"dir=/nowhere/at/all\": No such file"),
    ] {
        let output = reaching(folder.path(), serde_json::json!({}), &[grant]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(
            said(&output).contains("--plugin-allow") && said(&output).contains(told),
            "{}",
            said(&output)
        );
    }
}
