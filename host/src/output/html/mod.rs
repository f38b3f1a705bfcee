//! `report.html`: the run as one page that needs nothing else. Its figures are computed here, from
//! the records; its charts are drawn by the page, from bins whose number does not grow with the run.

mod facts;
pub(super) mod shell;
mod stage;
mod sweep;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::OutputError;
use super::recommendations::recommend;
use super::table::BasicInformation;
use crate::metrics::{Profile, Quantity, StageSummary, knee};
use crate::record::RunHeader;
use crate::units::{decimal, grouped};

/// The name of the page in the folder of a run.
pub const FILE: &str = "report.html";

/// What a search has found of one promise (`--sla-params`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Promise {
    /// The promise as it was written.
    pub criteria: String,
    /// What was varied: `parallel` or `rate`.
    pub variable: String,
    /// The highest value that keeps the promise; `None` if none does.
    pub best: Option<u32>,
    /// How the search ended.
    pub note: String,
}

/// The page of a run: the figures of each stage and its course, and what a search has found.
///
/// # Errors
/// If the page's template does not fit what is put into it.
pub fn report(
    run: &RunHeader,
    basic: &BasicInformation,
    stages: &[StageSummary],
    profiles: &[Profile],
    promises: &[Promise],
) -> Result<String, OutputError> {
    let knee = knee(stages);
    let pairs: Vec<(&StageSummary, &Profile)> = stages.iter().zip(profiles).collect();
    let best = knee.or_else(|| fastest(stages)).unwrap_or(0);
    let requests: u64 = stages.iter().map(|stage| stage.total).sum();
    let limited = stages.iter().any(|s| s.health.as_ref().is_some_and(|health| health.client_limited));
    let mut links = vec![json!(["overview", "Overview"])];
    if stages.len() > 1 {
        links.push(json!(["load", "Load"]));
    }
    let recommendations = recommend(stages);
    if !recommendations.is_empty() {
        links.push(json!(["recommendations", "Recommendations"]));
    }
    links.push(json!(["stages", if stages.len() > 1 { "Stages" } else { "Stage" }]));
    links.push(json!(["configuration", "Configuration"]));
    let views: Vec<Value> =
        pairs.iter().map(|(summary, profile)| stage::view(&run.run_id, summary, profile)).collect();
    let data = json!({
        "knee": knee,
        "sweep": pairs.iter().map(|(summary, profile)| sweep::point(summary, profile)).collect::<Vec<_>>(),
        "stages": pairs.iter().map(|(summary, profile)| stage::charts(summary, profile)).collect::<Vec<_>>(),
    });
    let page = json!({
        "title": if basic.model.is_empty() { &basic.dataset } else { &basic.model },
        "dataset": basic.dataset,
        "api": basic.api,
        "requests": grouped(requests),
        "started_at": run.started_at.get(..16).unwrap_or(&run.started_at).replace('T', " "),
        "version": run.tickrate_version,
        "links": links,
        "headline": headline(&pairs, best, knee),
        "limited": limited,
        "verdict": verdict(stages),
        "overview": sweep::overview(&pairs, best, knee),
        "knee_note": sweep::knee_note(stages, knee),
        "across": sweep::across(stages),
        "up": sweep::up(stages),
        "promises": promises.iter().map(kept).collect::<Vec<_>>(),
        "recommendations": recommendations,
        "stages": views,
        "facts": facts::facts(run),
        "titles": shell::data(&sweep::titles()),
        "data": shell::data(&rounded(data)),
    });
    shell::render("report.html", page)
}

fn fastest(stages: &[StageSummary]) -> Option<usize> {
    let rate = |at: &usize| stages[*at].request_throughput_rps().unwrap_or(0.0);
    (0..stages.len()).max_by(|a, b| rate(a).total_cmp(&rate(b)))
}

fn headline(pairs: &[(&StageSummary, &Profile)], best: usize, knee: Option<usize>) -> Value {
    let Some((summary, profile)) = pairs.get(best) else {
        return json!({"title": "Nothing was measured", "lead": "There are no records.", "cards": [], "stage": 0});
    };
    let name = &summary.stage.name;
    if pairs.iter().all(|(summary, _)| summary.succeeded == 0) {
        let lead = format!("What is known of {name}. Its errors are below.");
        let cards = stage::cards(summary, profile);
        return json!({"title": "No request succeeded", "lead": lead, "cards": cards, "stage": best});
    }
    let (title, lead) = match (pairs.len(), knee) {
        (1, _) => ("Overview".to_string(), format!("The figures of {name}.")),
        (_, Some(_)) => (
            "At the knee".to_string(),
            format!(
                "The figures of {name}, beyond which more load costs more latency than it brings throughput."
            ),
        ),
        (_, None) => (
            "At the best throughput".to_string(),
            format!("The figures of {name}, the stage with the most requests per second."),
        ),
    };
    let lead = format!("{lead} The bar below a figure is its 95 % interval, on a scale of ± 25 %.");
    json!({"title": title, "lead": lead, "cards": stage::cards(summary, profile), "stage": best})
}

/// The row of a promise.
fn kept(promise: &Promise) -> Value {
    let best = promise.best.as_ref().map_or_else(|| "none".to_string(), ToString::to_string);
    json!([promise.criteria, promise.variable, best, promise.note])
}

/// What the client says of itself over all stages.
fn verdict(stages: &[StageSummary]) -> String {
    let limited = stages.iter().find_map(|stage| {
        let health = stage.health.as_ref().filter(|health| health.client_limited)?;
        Some(format!("{}: {}", stage.stage.name, health.verdict))
    });
    let trust_ms = stages.iter().filter_map(|stage| stage.health.as_ref()?.trust_ms).reduce(f64::max);
    match (limited, trust_ms) {
        (Some(limited), _) => limited,
        (None, Some(trust_ms)) => {
            format!("was no limit; in every stage times are trusted to ± {} ms", decimal(trust_ms, 3))
        }
        (None, None) => "could not be judged: the stages were too short, or were cut short".to_string(),
    }
}

/// The figure that goes by a name that is known to be one.
fn quantity(name: &str) -> Option<Quantity> {
    Quantity::named(name).ok()
}

/// Numbers of charts with five digits: more cannot be seen.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let exact = number.as_f64().unwrap_or(0.0);
            let short: f64 = format!("{exact:.4e}").parse().unwrap_or(exact);
            if short.fract() == 0.0 && short.abs() < 1e15 { json!(short as i64) } else { json!(short) }
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, value)| (name, rounded(value))).collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests;
