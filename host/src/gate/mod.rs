//! Gates: expressions over the figures of stages that fail a command, `p99_ttft > 500ms`. They are
//! read before anything is measured and judged when everything is.

pub mod junit;
pub mod step_summary;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::metrics::{Criterion, CriterionError, StageSummary};

/// An expression that must not be true of any stage that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What must not hold.
    criterion: Criterion,
    /// The stages that it is about, by the beginning of their names; all of them if there is none.
    stage: Option<String>,
    /// As the user wrote it.
    text: String,
}

/// A gate that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The figure or the limit is none.
    #[error(transparent)]
    Criterion(#[from] CriterionError),
    /// It has another form.
    #[error(
        "\"{0}\" is no gate; write FIGURE > LIMIT, or FIGURE of STAGE > LIMIT, with >, >=, < or <=, such as \
         'p99_ttft > 500ms' or 'error_rate of parallel_10 > 1%'"
    )]
    Form(String),
}

/// What came of a gate in one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The gate as the user wrote it.
    pub gate: String,
    /// The stage; `None` where no stage was there to be judged.
    pub stage: Option<String>,
    /// The figure's name.
    pub figure: String,
    /// The figure in the unit that it is judged in; `None` if it was not measured.
    pub value: Option<f64>,
    /// Whether the gate failed.
    pub failed: bool,
    /// What happened, in one line.
    pub message: String,
}

impl FromStr for Gate {
    type Err = GateError;

    /// Reads `FIGURE [of STAGE] OPERATOR LIMIT`.
    fn from_str(text: &str) -> Result<Gate, GateError> {
        let text = text.trim();
        let form = || GateError::Form(text.to_string());
        let operator = text.find(['<', '>', '=', '≤', '≥']).ok_or_else(form)?;
        let (left, goal) = (text[..operator].trim(), text[operator..].trim());
        let words: Vec<&str> = left.split_whitespace().collect();
        let (figure, stage) = match words[..] {
            [figure] => (figure, None),
            [figure, "of", stage] => (figure, Some(stage.to_string())),
            _ => return Err(form()),
        };
        let criterion = Criterion::parse(figure, goal, None)?;
        Ok(Gate { criterion, stage, text: text.to_string() })
    }
}

impl Gate {
    /// The stage, or the beginning of the names of the stages, that it is about.
    pub fn stage(&self) -> Option<&str> {
        self.stage.as_deref()
    }

    /// Whether it is about the stage of this name: `parallel_10` is about `parallel_10_number_20`.
    pub fn is_about(&self, stage: &str) -> bool {
        self.stage.as_ref().is_none_or(|wanted| {
            stage.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
    }

    /// What comes of it in each of the stages that it is about. A figure that was not measured, and
    /// a stage that is not there, fail it: a gate that cannot be judged must not let anything pass.
    pub fn judge<'a>(&self, stages: impl IntoIterator<Item = &'a StageSummary>) -> Vec<Verdict> {
        let about = stages.into_iter().filter(|stage| self.is_about(&stage.stage.name));
        let mut verdicts: Vec<Verdict> = about.map(|stage| self.verdict(stage)).collect();
        if verdicts.is_empty() {
            let message = match &self.stage {
                Some(stage) => format!("there is no stage \"{stage}\" to judge \"{self}\" by"),
                None => format!("no stage was measured to judge \"{self}\" by"),
            };
            let figure = self.criterion.quantity.name();
            verdicts.push(Verdict {
                gate: self.text.clone(),
                stage: None,
                figure,
                value: None,
                failed: true,
                message,
            });
        }
        verdicts
    }

    fn verdict(&self, stage: &StageSummary) -> Verdict {
        let quantity = self.criterion.quantity;
        let value = quantity.of(stage);
        let (name, figure) = (&stage.stage.name, quantity.name());
        let failed = value.is_none() || self.criterion.holds(value);
        let message = match value {
            None => format!("{name}: {figure} was not measured, so that \"{self}\" fails"),
            Some(value) if failed => {
                format!("{name}: {figure} is {}: \"{self}\" fails", quantity.show(value))
            }
            Some(value) => format!("{name}: {figure} is {}: \"{self}\" passes", quantity.show(value)),
        };
        Verdict { gate: self.text.clone(), stage: Some(name.clone()), figure, value, failed, message }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Gate {
    /// As the user wrote it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What comes of all gates, in the order that they were given.
pub fn judge(gates: &[Gate], stages: &[StageSummary]) -> Vec<Verdict> {
    gates.iter().flat_map(|gate| gate.judge(stages)).collect()
}

/// The verdicts as a text: a line for each failure, and how many gates there are.
pub fn told(verdicts: &[Verdict]) -> String {
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.failed).collect();
    let mut text = format!("Gates: {} passed, {} failed", verdicts.len() - failed.len(), failed.len());
    for verdict in failed {
        text += &format!("\n  ✗ {}", verdict.message);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::metrics::StageAccumulator;
    use crate::record::StageHeader;
    use proptest::prelude::*;

    /// A stage without a single request.
    pub(crate) fn empty_stage(name: &str) -> StageSummary {
        let stage = StageHeader {
            index: 0,
            name: name.into(),
            parallel: Some(1),
            rate_rps: None,
            number: 1,
            warmup: 0,
            goodput: Vec::new(),
            conversations: false,
            folder: std::env::temp_dir(),
        };
        StageAccumulator::new(&stage).finish(&stage, None).unwrap()
    }

    fn gate(text: &str) -> Gate {
        text.parse().unwrap()
    }

    #[test]
    fn a_gate_fails_where_it_holds_and_where_nothing_was_measured() {
        let stages = [empty_stage("parallel_1_number_5"), empty_stage("parallel_10_number_5")];
        let passed = gate("failed_requests > 0").judge(&stages);
        assert_eq!(passed.iter().map(|verdict| verdict.failed).collect::<Vec<_>>(), [false, false]);
        let failed = gate("failed_requests<=0").judge(&stages);
        assert!(failed.iter().all(|verdict| verdict.failed && verdict.value == Some(0.0)));
        let absent = gate("p99_ttft > 500ms").judge(&stages);
        assert!(absent.iter().all(|verdict| verdict.failed && verdict.value.is_none()));
        assert_eq!(
            absent[0].message,
            "parallel_1_number_5: p99_ttft was not measured, so that \"p99_ttft > 500ms\" fails"
        );
    }

    #[test]
    fn a_gate_of_a_stage_is_about_it_alone() {
        let stages = [empty_stage("parallel_1_number_5"), empty_stage("parallel_10_number_5")];
        for (text, about) in [
            ("failed_requests of parallel_1 > 0", vec!["parallel_1_number_5"]),
            ("failed_requests of parallel_10_number_5 > 0", vec!["parallel_10_number_5"]),
            ("failed_requests of parallel > 0", vec!["parallel_1_number_5", "parallel_10_number_5"]),
        ] {
            let judged: Vec<_> = gate(text).judge(&stages).into_iter().filter_map(|v| v.stage).collect();
            assert_eq!(judged, about, "{text}");
        }
        let missing = gate("failed_requests of rate_1 > 0").judge(&stages);
        assert!(missing[0].failed && missing[0].message.contains("no stage \"rate_1\""), "{missing:?}");
        assert!(gate("rps < 1").judge(&[])[0].failed);
    }

    #[test]
    fn what_is_no_gate_is_refused_in_one_line() {
        for (text, told) in [
            ("", "is no gate"),
            ("p99_ttft", "is no gate"),
            ("p99_ttft of > 5ms", "is no gate"),
            ("p99_ttft in stage > 5ms", "is no gate"),
            ("p99_tfft > 5ms", "near it are p99_ttft"),
            ("p99_ttft > 5", "no limit for p99_ttft"),
            ("p99_ttft == 5ms", "is no goal"),
        ] {
            let error = text.parse::<Gate>().unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains('\n'), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_gate_reads_the_same_however_it_is_spaced(
            figure in prop_oneof![Just("p99_ttft"), Just("avg_latency"), Just("max_itl")],
            operator in prop_oneof![Just(">"), Just(">="), Just("<"), Just("<=")],
            limit in 0_u32..100_000,
            unit in prop_oneof![Just("ms"), Just("s"), Just("us")],
            spaces in " {0,3}",
        ) {
            let tight = gate(&format!("{figure}{operator}{limit}{unit}"));
            let loose = gate(&format!("{spaces}{figure}{spaces}{operator}{spaces}{limit}{spaces}{unit}{spaces}"));
            prop_assert_eq!(&tight.criterion.goal, &loose.criterion.goal);
            prop_assert_eq!(tight.criterion.quantity, loose.criterion.quantity);
        }

        #[test]
        fn nothing_that_is_written_panics(text in "\\PC{0,30}") {
            let _ = text.parse::<Gate>();
        }
    }
}
