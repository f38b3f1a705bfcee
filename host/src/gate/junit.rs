//! The verdicts as a JUnit file, which CI services show as tests.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Verdict;
use crate::metrics::StageSummary;

/// A suite for each stage, with a test for each gate, and one for the stage itself: it fails if not
/// one of its requests succeeded. Gates without a stage are in a suite of their own.
///
/// # Errors
/// If the file's format cannot hold it; the text says why.
pub fn junit(stages: &[StageSummary], verdicts: &[Verdict]) -> Result<String, String> {
    let mut report = Report::new("tickrate");
    for stage in stages {
        let name = stage.stage.name.as_str();
        let mut suite = TestSuite::new(name);
        suite.add_test_case(measured(stage));
        for verdict in verdicts.iter().filter(|verdict| verdict.stage.as_deref() == Some(name)) {
            suite.add_test_case(case(verdict));
        }
        report.add_test_suite(suite);
    }
    let mut rest = TestSuite::new("run");
    for verdict in verdicts {
        let known = |name: &String| stages.iter().any(|stage| stage.stage.name == *name);
        if !verdict.stage.as_ref().is_some_and(known) {
            rest.add_test_case(case(verdict));
        }
    }
    if rest.tests > 0 {
        report.add_test_suite(rest);
    }
    report.to_string().map_err(|error| error.to_string())
}

fn measured(stage: &StageSummary) -> TestCase {
    let status = if stage.succeeded > 0 {
        TestCaseStatus::success()
    } else {
        failure(&format!("none of its {} requests succeeded", stage.total))
    };
    let mut case = TestCase::new("at least one request succeeded", status);
    case.set_classname(stage.stage.name.as_str());
    if let Some(duration_s) = stage.duration_s {
        case.set_time(Duration::from_secs_f64(duration_s));
    }
    for figure in stage.figures() {
        case.add_property((figure.name, figure.value.to_string().as_str()));
    }
    case
}

fn case(verdict: &Verdict) -> TestCase {
    let status = if verdict.failed { failure(&verdict.message) } else { TestCaseStatus::success() };
    let mut case = TestCase::new(format!("not {}", verdict.gate), status);
    case.set_classname(verdict.stage.as_deref().unwrap_or("run"));
    case
}

fn failure(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status
}

#[cfg(test)]
mod tests {
    use super::super::tests::empty_stage;
    use super::super::{Gate, judge};
    use super::*;

    #[test]
    fn a_gate_is_a_test_of_its_stage_and_what_it_says_is_escaped() {
        let stages = [empty_stage("a<b>&")];
        let gates: Vec<Gate> =
            ["failed_requests > 0", "rps < 1", "rps of c < 1"].iter().map(|g| g.parse().unwrap()).collect();
        let text = junit(&stages, &judge(&gates, &stages)).unwrap();
        assert!(
            text.contains("<testsuites name=\"tickrate\" tests=\"4\" skipped=\"0\" failures=\"3\""),
            "{text}"
        );
        assert!(text.contains("<testsuite name=\"a&lt;b&gt;&amp;\" tests=\"3\""), "{text}");
        assert!(
            text.contains("<testcase name=\"not failed_requests &gt; 0\" classname=\"a&lt;b&gt;&amp;\"/>"),
            "{text}"
        );
        assert!(text.contains("message=\"none of its 0 requests succeeded\""), "{text}");
        assert!(text.contains("<testsuite name=\"run\" tests=\"1\""), "{text}");
    }
}
