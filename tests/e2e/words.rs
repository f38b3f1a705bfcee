//! What a user reads: helps, tables, completions and the man page.

use std::path::Path;

use tickrate::sim::SimSpec;

use crate::running::{perf_on, tickrate};

fn printed(words: &str) -> String {
    let output = tickrate(Path::new("."), words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_helps_read_like_this() {
    insta::assert_snapshot!("help", printed("--help"));
    insta::assert_snapshot!("help_perf", printed("perf --help"));
    insta::assert_snapshot!("help_sim", printed("sim --help"));
}

#[test]
fn completions_and_the_man_page_know_the_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&format!("completions {shell}"));
        let flag = if shell == "fish" { "-l parallel" } else { "--parallel" };
        assert!(text.contains(flag), "{shell}");
        assert!(text.contains("tickrate") && text.lines().count() > 50, "{shell}");
    }
    let page = printed("man");
    assert!(page.contains("\\-\\-parallel") && page.contains(".SH NAME"), "{page:.400}");
}

#[test]
fn a_command_line_that_cannot_be_understood_is_told_in_one_line() {
    let lines = [
        "pref",
        "perf --paralel 5",
        "perf --number",
        "perf --number many",
        "perf --arrival gauss",
        "perf --ramp 1:2:3 --steps 1:2",
        "perf hello",
        "config chek",
        "plugin new --lang pyton",
        "report",
        "compare a",
        "sim --port many",
    ];
    let told = lines.map(|line| {
        let output = tickrate(Path::new("."), line).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        format!("$ tickrate {line}\n{said}")
    });
    insta::assert_snapshot!("refusals", told.concat());
}

/// Numbers become `#` and the width of columns goes, since both depend on how fast the machine is.
fn shape(text: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        let repeated = letter == last && "# ─═┄╌".contains(letter);
        if !repeated {
            out.push(letter);
            last = letter;
        }
    }
    out.replace("#.#", "#").replace("#,#", "#")
}

/// A table's own lines are as wide as each other, whatever is in them.
fn assert_aligned(text: &str) {
    for block in text.split("\n\n") {
        let rows: Vec<&str> = block.lines().filter(|line| line.starts_with(['┌', '│', '╞', '└'])).collect();
        let widths: Vec<usize> = rows.iter().map(|row| row.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{block}");
        for row in rows.iter().filter(|row| row.starts_with('│')) {
            assert_eq!(row.matches(['│', '┆']).count(), rows[1].matches(['│', '┆']).count(), "{block}");
        }
    }
}

#[test]
fn the_tables_of_a_run_read_like_this() {
    let spec = SimSpec {
        ttft: "20".parse().unwrap(),
        itl: "2".parse().unwrap(),
        faults: vec!["http_500_html:0.3".parse().unwrap()],
        seed: 2,
        ..SimSpec::default()
    };
    let flags =
        "--no-test-connection --prompt hello --max-tokens 8 --parallel 1 2 --number 6 12 --warmup-num 1";
    let run = perf_on(spec, flags).ended(0);
    assert_aligned(&run.stdout());
    // What the machine's own speed decides: suggestions and the verdict on the client.
    let lines: Vec<String> = run
        .stdout()
        .replace(run.folder.path().to_str().unwrap(), "FOLDER")
        .lines()
        .filter(|line| !line.trim_start().starts_with('•'))
        .map(|line| match line.split_once("Client health: ") {
            Some(_) => "Client health: VERDICT".to_string(),
            None => line.to_string(),
        })
        .collect();
    insta::assert_snapshot!("tables", shape(&(lines.join("\n") + "\n")));
    let suggestions: Vec<_> =
        run.stdout().lines().filter(|line| line.starts_with("  • ")).map(String::from).collect();
    assert!(
        suggestions.len() >= 3 && suggestions[0].starts_with("  • Best throughput: parallel_"),
        "{suggestions:?}"
    );
    assert!(suggestions[1].starts_with("  • Best latency: parallel_"), "{suggestions:?}");
    let verdicts = run.stdout().matches("Client health: ").count();
    assert_eq!(verdicts, 2, "one for each stage");
    let summary = std::fs::read_to_string(run.path().join("performance_summary.txt")).unwrap();
    assert!(run.stdout().contains(&summary), "the file is what was printed");
}
