//! The stages of a run beside each other: the table of all of them, and the curve of latency
//! against load.

use serde_json::{Map, Value, json};

use super::{quantity, stage};
use crate::metrics::{Interval, Profile, Quantity, StageSummary, load};
use crate::units::ABSENT;

/// The figures that the curve can be drawn against,
const ACROSS: [(&str, &str); 4] = [
    ("output_throughput", "output tokens per second"),
    ("request_throughput", "requests per second"),
    ("total_throughput", "total tokens per second"),
    ("input_throughput", "input tokens per second"),
];
/// and those that it can be drawn of.
const UP: [(&str, &str); 13] = [
    ("avg_latency", "mean latency (ms)"),
    ("p50_latency", "p50 latency (ms)"),
    ("p99_latency", "p99 latency (ms)"),
    ("avg_ttft", "mean TTFT (ms)"),
    ("p50_ttft", "p50 TTFT (ms)"),
    ("p90_ttft", "p90 TTFT (ms)"),
    ("p99_ttft", "p99 TTFT (ms)"),
    ("avg_tpot", "mean TPOT (ms)"),
    ("p50_tpot", "p50 TPOT (ms)"),
    ("p99_tpot", "p99 TPOT (ms)"),
    ("avg_itl", "mean ITL (ms)"),
    ("p99_itl", "p99 ITL (ms)"),
    ("error_rate", "errors (%)"),
];
/// The columns of the table.
const COLUMNS: [(&str, &str); 10] = [
    ("request_throughput", "req/s"),
    ("output_throughput", "tok/s"),
    ("input_throughput", "input tok/s"),
    ("p50_ttft", "p50 TTFT (ms)"),
    ("p99_ttft", "p99 TTFT (ms)"),
    ("avg_tpot", "mean TPOT (ms)"),
    ("avg_itl", "mean ITL (ms)"),
    ("p50_latency", "p50 latency (ms)"),
    ("p99_latency", "p99 latency (ms)"),
    ("error_rate", "errors (%)"),
];

/// The names of figures as the axes show them.
pub(super) fn titles() -> Value {
    let named = |(name, title): &(&str, &str)| ((*name).to_string(), json!(title));
    let mut out: Map<String, Value> = ACROSS.iter().chain(&UP).map(named).collect();
    out.insert("load".into(), json!("load: requests in flight, or arrivals per second"));
    Value::Object(out)
}

fn measured(stages: &[StageSummary], name: &str) -> bool {
    quantity(name).is_some_and(|quantity| stages.iter().any(|stage| quantity.of(stage).is_some()))
}

/// What can be chosen across.
pub(super) fn across(stages: &[StageSummary]) -> Vec<Value> {
    let mut out: Vec<Value> =
        ACROSS.iter().filter(|(name, _)| measured(stages, name)).map(|pair| json!(pair)).collect();
    if stages.iter().any(|stage| load(stage).is_some()) {
        out.push(json!(["load", "load"]));
    }
    out
}

/// What can be chosen up.
pub(super) fn up(stages: &[StageSummary]) -> Vec<Value> {
    UP.iter().filter(|(name, _)| measured(stages, name)).map(|pair| json!(pair)).collect()
}

/// A stage on the curve: each figure with its interval.
pub(super) fn point(summary: &StageSummary, profile: &Profile) -> Value {
    let of = |name: &str| {
        let quantity = quantity(name)?;
        let interval = profile.interval(quantity);
        let (low, high) = (interval.map(|interval| interval.low), interval.map(|interval| interval.high));
        Some((name.to_string(), json!({"value": quantity.of(summary)?, "low": low, "high": high})))
    };
    let mut figures: Map<String, Value> = ACROSS.iter().chain(&UP).filter_map(|(name, _)| of(name)).collect();
    if let Some(load) = load(summary) {
        figures.insert("load".into(), json!({"value": load, "low": null, "high": null}));
    }
    json!({"name": summary.stage.name, "label": stage::stage_label(summary), "figures": figures})
}

/// The table of all stages; a column for each figure that any stage has.
pub(super) fn overview(pairs: &[(&StageSummary, &Profile)], best: usize, knee: Option<usize>) -> Value {
    let has = |quantity: Quantity| pairs.iter().any(|(summary, _)| quantity.of(summary).is_some());
    let columns: Vec<(Quantity, &str)> = COLUMNS
        .iter()
        .filter_map(|(name, title)| Some((quantity(name)?, *title)))
        .filter(|(quantity, _)| has(*quantity))
        .collect();
    let row = |(at, (summary, profile)): (usize, &(&StageSummary, &Profile))| {
        let cell = |(quantity, _): &(Quantity, &str)| {
            let value = quantity.of(summary);
            let reach = profile.interval(*quantity).map(|Interval { low, high }| match value {
                // No failure among so many says how many there may be, and not how many fewer.
                Some(value) if value <= low => format!("to {}", stage::digits(high)),
                Some(value) if value >= high => format!("from {}", stage::digits(low)),
                _ => format!("± {}", stage::digits((high - low) / 2.0)),
            });
            json!({"value": value.map_or_else(|| ABSENT.to_string(), stage::digits), "reach": reach})
        };
        json!({
            "name": summary.stage.name,
            "best": at == best,
            "knee": knee == Some(at),
            "cells": columns.iter().map(cell).collect::<Vec<_>>(),
        })
    };
    json!({
        "header": columns.iter().map(|(_, title)| *title).collect::<Vec<_>>(),
        "rows": pairs.iter().enumerate().map(row).collect::<Vec<_>>(),
    })
}

/// What is said of the knee.
pub(super) fn knee_note(stages: &[StageSummary], knee: Option<usize>) -> String {
    match knee {
        Some(knee) => format!(
            "The knee is at {}: of all stages its throughput ÷ mean latency is highest.",
            stages[knee].stage.name
        ),
        None if stages.iter().all(|stage| stage.succeeded == 0) => "No request succeeded.".to_string(),
        None if stages.len() < 3 => "A knee needs at least three stages.".to_string(),
        None => "There is no knee between these loads: throughput ÷ mean latency is highest at an end of the sweep.".to_string(),
    }
}
