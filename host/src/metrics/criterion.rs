//! A criterion: a figure of a stage and what is asked of it. A promise (`--sla-params`) is kept while
//! its criterion holds; a gate (`--fail-if`) fails a run once its criterion holds.

use std::fmt;

use serde::Serialize;

use super::{Quantity, Unit};

/// What is asked of a figure, in the figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At most this; times in milliseconds.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// At least this.
    AtLeast(f64),
    /// More than this.
    Above(f64),
    /// As much as there can be.
    Max,
    /// As little as there can be.
    Min,
}

/// A figure and what is asked of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Criterion {
    /// The figure.
    pub quantity: Quantity,
    /// What is asked of it.
    pub goal: Goal,
    /// Both as the user wrote them, with the unit that a bare number is read in.
    pub text: String,
}

/// A criterion that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// A figure that there is not.
    #[error("\"{name}\" is no figure of a stage; near it are {near}; docs/ci.md lists them all")]
    Quantity {
        /// What was written.
        name: String,
        /// The names of figures like it.
        near: String,
    },
    /// A goal that makes no sense.
    #[error(
        "\"{0}\" is no goal; write <=, <, >= or > with a number and its unit, such as \"<=50ms\" or \"<=2s\", or max or min"
    )]
    Goal(String),
    /// A number in a unit that the figure is not in.
    #[error("\"{limit}\" is no limit for {name}: write a number and one of the units {units}")]
    Limit {
        /// The figure's name.
        name: String,
        /// What was written after the operator.
        limit: String,
        /// The units that can be written.
        units: String,
    },
}

impl Criterion {
    /// Reads a figure's name and a goal such as `<= 2s`. Where `bare_seconds` allows it, a time
    /// without a unit is in seconds, and `notes` gets a line about it.
    ///
    /// # Errors
    /// If there is no such figure, or the goal is none, or its unit is not one of the figure's.
    pub fn parse(
        name: &str,
        goal: &str,
        bare_seconds: Option<&mut Vec<String>>,
    ) -> Result<Criterion, CriterionError> {
        let quantity = Quantity::named(name)
            .map_err(|near| CriterionError::Quantity { name: name.to_string(), near: near.join(", ") })?;
        let compact: String = goal.chars().filter(|c| !c.is_whitespace()).collect();
        let compact = compact.replace(['≤', '≦'], "<=").replace(['≥', '≧'], ">=");
        let mut unit = "";
        let goal = match compact.as_str() {
            "max" => Goal::Max,
            "min" => Goal::Min,
            text => {
                let limit = text.trim_start_matches(['<', '>', '=']);
                let of: fn(f64) -> Goal = match &text[..text.len() - limit.len()] {
                    "<=" => Goal::AtMost,
                    "<" => Goal::Below,
                    ">=" => Goal::AtLeast,
                    ">" => Goal::Above,
                    _ => return Err(CriterionError::Goal(goal.to_string())),
                };
                let (limit, seconds) = quantity.limit(name, limit, bare_seconds)?;
                if seconds {
                    unit = "s";
                }
                of(limit)
            }
        };
        Ok(Criterion { quantity, goal, text: format!("{name} {compact}{unit}") })
    }

    /// The figure's name as the user wrote it.
    pub fn name(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// Whether the goal is one to optimise rather than a limit.
    pub fn is_optimum(&self) -> bool {
        matches!(self.goal, Goal::Max | Goal::Min)
    }

    /// Whether `value`, in the figure's unit, keeps the limit. An optimum has no limit to break; what
    /// was not measured keeps none.
    pub fn holds(&self, value: Option<f64>) -> bool {
        let Some(value) = value else { return self.is_optimum() };
        match self.goal {
            Goal::AtMost(limit) => value <= limit,
            Goal::Below(limit) => value < limit,
            Goal::AtLeast(limit) => value >= limit,
            Goal::Above(limit) => value > limit,
            Goal::Max | Goal::Min => true,
        }
    }

    /// Whether `value` misses the limit by so much that measuring again will not change it.
    pub fn clearly_fails(&self, value: Option<f64>) -> bool {
        /// Repeated runs of a loaded server differ by a few percent, seldom by this factor.
        const FAR: f64 = 1.5;
        let Some(value) = value else { return !self.is_optimum() };
        match self.goal {
            Goal::AtMost(limit) | Goal::Below(limit) => value > limit * FAR,
            Goal::AtLeast(limit) | Goal::Above(limit) => value < limit / FAR,
            Goal::Max | Goal::Min => false,
        }
    }
}

impl Quantity {
    /// The number after an operator, in the figure's own unit whatever unit it is written in, and
    /// whether it had none and was read as seconds.
    fn limit(
        self,
        name: &str,
        text: &str,
        bare_seconds: Option<&mut Vec<String>>,
    ) -> Result<(f64, bool), CriterionError> {
        let number = |digits: &str| digits.parse().ok().filter(|value: &f64| value.is_finite());
        for (unit, factor) in self.unit().spellings() {
            let digits = text.strip_suffix(unit);
            if let Some(value) = digits.and_then(number) {
                return Ok((value * factor, false));
            }
        }
        if let (Unit::Ms, Some(notes), Some(seconds)) = (self.unit(), bare_seconds, number(text)) {
            notes
                .push(format!("{name}: {text} without a unit is read as seconds; write {text}s or {text}ms"));
            return Ok((seconds * 1e3, true));
        }
        let units = self.unit().spellings().iter().map(|(unit, _)| *unit);
        let units: Vec<&str> = units.map(|unit| if unit.is_empty() { "none" } else { unit }).collect();
        let (name, limit) = (name.to_string(), text.to_string());
        Err(CriterionError::Limit { name, limit, units: units.join(", ") })
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_of_a_figure_is_read_into_its_own() {
        let limit = |name, goal| match Criterion::parse(name, goal, None).unwrap().goal {
            Goal::Above(limit) => limit,
            goal => panic!("{goal:?}"),
        };
        for (name, goal, expected) in [
            ("p99_ttft", "> 1.5s", 1500.0),
            ("avg_latency", ">250us", 0.25),
            ("duration", "> 2 min", 120_000.0),
            ("error_rate", "> 1 %", 1.0),
            ("rps", "> 5 req/s", 5.0),
            ("tps", ">5", 5.0),
            ("avg_output_tokens", "> 12 tokens", 12.0),
            ("failed_requests", ">3", 3.0),
        ] {
            assert_eq!(limit(name, goal), expected, "{name} {goal}");
        }
    }

    #[test]
    fn a_wrong_unit_is_answered_with_the_right_ones() {
        for (name, goal, told) in [
            ("p99_ttft", "> 5", "one of the units ms, us, µs, s, min"),
            ("p99_ttft", "> 5%", "\"5%\" is no limit for p99_ttft"),
            ("error_rate", "> 1", "one of the units %"),
            ("failed_requests", "> 1ms", "one of the units none"),
            ("rps", "> nan", "no limit for rps"),
        ] {
            let error = Criterion::parse(name, goal, None).unwrap_err().to_string();
            assert!(error.contains(told), "{name} {goal}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused_in_one_line(name in "[a-z0-9_.]{0,12}", goal in "\\PC{0,12}") {
            match Criterion::parse(&name, &goal, Some(&mut Vec::new())) {
                Ok(criterion) => prop_assert!(criterion.text.starts_with(&name)),
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }

        #[test]
        fn a_limit_comes_back_as_it_was_written(ms in 0.0_f64..1e9) {
            let criterion = Criterion::parse("p99_ttft", &format!("<= {ms}ms"), None).unwrap();
            prop_assert_eq!(criterion.goal, Goal::AtMost(ms));
            prop_assert!(criterion.holds(Some(ms)) && !criterion.holds(Some(ms + 1.0)) && !criterion.holds(None));
        }
    }
}
