//! What a service promises: groups of criteria, as `--sla-params` has them.

use serde_json::{Map, Value};

use crate::metrics::{Criterion, CriterionError};

/// An SLA that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlaError {
    /// A line of it.
    #[error(transparent)]
    Criterion(#[from] CriterionError),
    /// Not a list of objects.
    #[error("it must be a JSON list of objects, such as [{{\"p99_ttft\": \"<=2s\"}}]")]
    Shape,
}

/// Groups of criteria: within a group all must hold, and each group is searched for on its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// The groups.
    pub groups: Vec<Vec<Criterion>>,
    /// What was read in a way that should be said aloud.
    pub notes: Vec<String>,
}

impl Criteria {
    /// Reads `[{"p99_ttft": "<=2s", "rps": ">=5"}, …]`.
    pub fn parse(value: &Value) -> Result<Criteria, SlaError> {
        let groups = value.as_array().ok_or(SlaError::Shape)?;
        let mut out = Criteria::default();
        for group in groups {
            let group: &Map<String, Value> = group.as_object().ok_or(SlaError::Shape)?;
            let mut criteria = Vec::new();
            for (name, goal) in group {
                let goal = goal.as_str().ok_or_else(|| CriterionError::Goal(goal.to_string()))?;
                criteria.push(Criterion::parse(name, goal, Some(&mut out.notes))?);
            }
            if criteria.is_empty() {
                return Err(SlaError::Shape);
            }
            out.groups.push(criteria);
        }
        if out.groups.is_empty() { Err(SlaError::Shape) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Goal;
    use serde_json::json;

    #[test]
    fn units_are_explicit_and_a_bare_number_is_seconds_with_a_note() {
        let criteria = Criteria::parse(&json!([
            {"p99_ttft": "<=50ms", "avg_latency": "< 2s"}, {"p99_tpot": "≤0.05"}, {"tps": "max"},
        ]))
        .unwrap();
        let goals: Vec<Goal> = criteria.groups.iter().flatten().map(|criterion| criterion.goal).collect();
        assert_eq!(goals, [Goal::AtMost(50.0), Goal::Below(2000.0), Goal::AtMost(50.0), Goal::Max]);
        assert_eq!(
            criteria.notes,
            ["p99_tpot: 0.05 without a unit is read as seconds; write 0.05s or 0.05ms"]
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (value, told) in [
            (json!({"rps": ">=1"}), "JSON list"),
            (json!([]), "JSON list"),
            (json!([{}]), "JSON list"),
            (json!([{"p99_speed": "<=1"}]), "\"p99_speed\""),
            (json!([{"p12_ttft": "<=1s"}]), "\"p12_ttft\""),
            (json!([{"rps": "5"}]), "\"5\""),
            (json!([{"rps": "=>5"}]), "\"=>5\""),
            (json!([{"rps": ">=x"}]), "\"x\" is no limit for rps"),
        ] {
            let error = Criteria::parse(&value).unwrap_err().to_string();
            assert!(error.contains(told), "{value}: {error}");
        }
    }

    #[test]
    fn a_limit_holds_up_to_itself_and_nothing_measured_holds_nothing() {
        let criteria =
            Criteria::parse(&json!([{"p99_ttft": "<=50ms"}, {"rps": ">5"}, {"tps": "max"}])).unwrap();
        let [ttft, rps, tps] = [0, 1, 2].map(|group| criteria.groups[group][0].clone());
        assert!(ttft.holds(Some(50.0)) && !ttft.holds(Some(50.1)) && !ttft.holds(None));
        assert!(!ttft.clearly_fails(Some(60.0)) && ttft.clearly_fails(Some(80.0)));
        assert!(!rps.holds(Some(5.0)) && rps.holds(Some(5.1)) && rps.clearly_fails(Some(3.0)));
        assert!(tps.holds(Some(0.0)) && tps.is_optimum());
    }
}
