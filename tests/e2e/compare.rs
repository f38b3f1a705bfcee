//! `tickrate compare`: runs beside each other.

use std::path::Path;
use std::process::Output;

use tickrate::sim::SimSpec;

use crate::browser::checked;
use crate::running::{chat, command, sim, tickrate};

/// Runs one stage on a server with this TTFT, and names the run.
fn measure(folder: &Path, name: &str, ttft: &str, flags: &str) {
    let server =
        sim(SimSpec { ttft: ttft.parse().unwrap(), itl: "5".parse().unwrap(), ..SimSpec::default() });
    let flags =
        format!("--no-test-connection --prompt hello --max-tokens 4 --parallel 4 --number 120 {flags}");
    let output = command(folder, &chat(&server.url()), &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(folder.join("outputs/run"), folder.join(name)).unwrap();
}

fn compared(folder: &Path, words: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tickrate(folder, &format!("compare {words}")).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_slower_server_regresses_and_the_same_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    measure(folder, "before", "20", "");
    measure(folder, "again", "20", "");
    measure(folder, "after", "120", "");
    measure(folder, "longer", "20", "--extra-args {\"max_tokens\":9}");

    let (code, text, said) = compared(folder, "before after --fail-if-regressed 200%");
    assert_eq!(code, Some(6), "{text}{said}");
    let ttft = text.lines().find(|line| line.contains("avg_ttft")).unwrap();
    assert!(ttft.contains("worse") && ttft.contains("+") && ttft.contains(" % "), "{ttft}");
    assert!(said.contains("regressed: after, parallel_4_number_120: avg_ttft went from 2"), "{said}");
    let (code, text, said) = compared(folder, "before again --fail-if-regressed 200%");
    assert_eq!(code, Some(0), "{text}{said}");
    assert_eq!(
        compared(folder, "after before --fail-if-regressed 200%").0,
        Some(0),
        "faster is no regression"
    );
    assert_eq!(compared(folder, "before after").0, Some(0), "nobody asked to fail");

    let (code, text, said) = compared(folder, "before longer --fail-if-regressed 1000%");
    assert_eq!(code, Some(7), "{text}{said}");
    assert!(text.contains("not comparable: replies of another length: 4 and 9 tokens on average"), "{text}");

    let (code, json, said) = compared(folder, "before after again --format json --fail-if failed_requests<1");
    assert_eq!(code, Some(5), "{said}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("gates are told elsewhere");
    assert_eq!(json["others"].as_array().unwrap().len(), 2);
    assert_eq!(json["others"][0]["pairs"][0]["differences"][0]["quantity"], "request_throughput");
    assert_eq!(
        compared(folder, "before after again --format json").1,
        compared(folder, "before after again --format json").1
    );

    let (_, markdown, _) = compared(folder, "before after --format markdown");
    assert!(markdown.starts_with("## `after` compared with `before`\n"), "{markdown}");
    let row = markdown.lines().find(|line| line.starts_with("| avg_ttft |")).unwrap();
    assert!(row.ends_with("| 🔴 worse |") && row.matches('|').count() == 7, "{row}");

    assert_eq!(compared(folder, "before after longer --format html --output page.html").0, Some(0));
    checked("check_comparison.py", &folder.join("page.html"), "before");
}

#[test]
fn what_cannot_be_compared_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, said) = compared(folder.path(), "nowhere elsewhere");
    assert_eq!(code, Some(2));
    assert!(
        said.starts_with("error: there are no records in \"nowhere\"") && said.lines().count() == 1,
        "{said}"
    );
    let (code, _, said) = compared(folder.path(), "a b --fail-if-regressed 5");
    assert_eq!(code, Some(2));
    assert!(
        said.contains("--fail-if-regressed: \"5\" is no share; write a number and %, such as 5%"),
        "{said}"
    );
}
