//! Gates: what fails a command though everything was measured.

use tickrate::sim::SimSpec;

use crate::running::{Run, chat, command, perf_on, sim, tickrate};

const FLAGS: &str = "--no-test-connection --prompt hello --max-tokens 4 --parallel 1 2 --number 10 20";

fn gated(gates: &[&str]) -> Run {
    let spec = SimSpec { ttft: "10".parse().unwrap(), ..SimSpec::default() };
    let mut words: Vec<&str> = FLAGS.split_whitespace().collect();
    for gate in gates {
        words.extend(["--fail-if", gate]);
    }
    perf_on(spec, &words[..])
}

#[test]
fn a_run_fails_by_the_gate_that_is_true_of_it_and_by_no_other() {
    let run = gated(&["p99_ttft > 10min", "error_rate > 1%"]).ended(0);
    assert!(run.stdout().contains("Gates: 4 passed, 0 failed"), "{}", run.stdout());
    let run = gated(&["p99_ttft > 10min", "p50_ttft of parallel_2 > 1ms"]).ended(5);
    assert!(run.stdout().contains("Gates: 2 passed, 1 failed"), "{}", run.stdout());
    let told = run.stdout().lines().find(|line| line.contains('✗')).map(str::to_string).unwrap();
    assert!(told.contains("parallel_2_number_20: p50_ttft is 1") && told.ends_with("fails"), "{told}");
}

#[test]
fn a_figure_that_was_not_measured_fails_its_gate() {
    let run = gated(&["cache_hit_rate < 5%"]).ended(5);
    assert!(run.stdout().contains("cache_hit_rate was not measured, so that"), "{}", run.stdout());
}

#[test]
fn what_is_no_gate_is_told_before_anything_is_sent() {
    for (gate, told) in [
        ("p99_tfft > 5ms", "--fail-if: \"p99_tfft\" is no figure of a stage; near it are p99_ttft, "),
        (
            "p99_ttft > 5",
            "--fail-if: \"5\" is no limit for p99_ttft: write a number and one of the units ms, ",
        ),
        ("p99_ttft of parallel_3 > 5ms", "which is not among those of the run: parallel_1_number_10, "),
    ] {
        let run = gated(&[gate]).ended(2);
        assert!(run.stderr().contains(told) && run.stderr().lines().count() == 1, "{}", run.stderr());
        assert!(!run.path().join("run.json").exists());
    }
    let run = perf_on(SimSpec::default(), &format!("{FLAGS} --junit nowhere/at/all.xml")).ended(2);
    assert!(run.stderr().contains("--junit: cannot write \"nowhere/at/all.xml\""), "{}", run.stderr());
}

#[test]
fn gates_of_a_report_are_those_of_its_run_and_ci_gets_its_files() {
    let server = sim(SimSpec::default());
    let folder = tempfile::tempdir().unwrap();
    let mut run = command(folder.path(), &chat(&server.url()), FLAGS);
    let output = run.env("GITHUB_STEP_SUMMARY", "page.md").args(["--junit", "junit.xml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(folder.path().join("page.md")).unwrap();
    assert!(
        page.starts_with("## tickrate: tiny\n")
            && page.contains("| parallel\\_1") | page.contains("| parallel_1_number_10 |"),
        "{page}"
    );
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"0\""), "{junit}");

    let again = |gate: &str| {
        let mut report =
            tickrate(folder.path(), "report outputs/run --junit again.xml --step-summary page.md");
        report.args(["--fail-if", gate]).output().unwrap().status.code()
    };
    assert_eq!(again("error_rate > 1%"), Some(0));
    assert_eq!(again("success_requests < 1000"), Some(5));
    let junit = std::fs::read_to_string(folder.path().join("again.xml")).unwrap();
    assert!(junit.contains("tests=\"4\"") && junit.contains("failures=\"2\""), "{junit}");
    let pages = std::fs::read_to_string(folder.path().join("page.md")).unwrap();
    assert_eq!(pages.matches("## tickrate: tiny").count(), 3, "pages are added, not replaced");
    assert!(
        pages.contains("| fail if success_requests &lt; 1000 | parallel_1_number_10 | 10 | ❌ failed |"),
        "{pages}"
    );
}
