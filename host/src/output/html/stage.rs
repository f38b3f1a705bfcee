//! One stage on the page: its cards, tables and the data of its charts.

use serde_json::{Map, Value, json};

use super::quantity;
use crate::metrics::{
    Better, ConversationView, Drawn, Interval, Metric, PERCENTILES, Percentile, Profile, Quantity,
    StageSummary, Unit,
};
use crate::record::{ClientHealth, LagSummary};
use crate::units::{ABSENT, decimal, grouped};

/// The figures that have a card, each under its heading.
const CARDS: [(&str, &str); 10] = [
    ("output_throughput", "Output throughput"),
    ("input_throughput", "Input throughput"),
    ("request_throughput", "Request throughput"),
    ("goodput", "Goodput"),
    ("p50_ttft", "TTFT, median"),
    ("p99_ttft", "TTFT, p99"),
    ("avg_tpot", "TPOT, mean"),
    ("avg_itl", "ITL, mean"),
    ("p99_latency", "Latency, p99"),
    ("error_rate", "Errors"),
];

/// A value of a card: enough digits to see a difference of a percent.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let whole = value.round();
            format!("{}{}", if whole < 0.0 { "-" } else { "" }, grouped(whole.abs() as u64))
        }
        size if size >= 100.0 => decimal(value, 0),
        size if size >= 10.0 => decimal(value, 1),
        size if size >= 0.1 => decimal(value, 2),
        _ => decimal(value, 3),
    }
}

/// Both ends of an interval, with more digits where they would look alike.
fn ends(Interval { low, high }: Interval) -> String {
    match [low, high].map(digits) {
        [a, b] if a == b && low < high => format!("{} – {}", decimal(low, 4), decimal(high, 4)),
        [a, b] => format!("{a} – {b}"),
    }
}

/// The cards of a stage: what was measured, with how sure it is.
pub(super) fn cards(summary: &StageSummary, profile: &Profile) -> Vec<Value> {
    let card = |&(name, label): &(&str, &str)| {
        let quantity = quantity(name)?;
        let value = quantity.of(summary)?;
        let interval = profile.interval(quantity);
        let trust_ms = summary.health.as_ref().and_then(|health| health.trust_ms);
        let of_client =
            trust_ms.filter(|_| quantity.unit() == Unit::Ms && quantity.better() == Better::Lower);
        let mut notes = Vec::new();
        match interval {
            Some(interval) => notes.push(format!("95 %: {}", ends(interval))),
            None if summary.stage.parallel.is_none()
                && matches!(quantity.unit(), Unit::ReqPerS | Unit::TokPerS) =>
            {
                notes.push("set by the arrivals".to_string());
            }
            None => notes.push("no interval: too few requests".to_string()),
        }
        notes.extend(of_client.map(|ms| format!("client ± {} ms", digits(ms))));
        let along = |end: f64| (50.0 + (end / value - 1.0) * 200.0).clamp(0.0, 100.0);
        let ends = interval.filter(|_| value > 0.0).map(|Interval { low, high }| (along(low), along(high)));
        Some(json!({
            "label": label,
            "value": digits(value),
            "unit": quantity.unit().symbol(),
            "notes": notes,
            "left": ends.map(|(left, _)| left),
            "right": ends.map(|(_, right)| right),
        }))
    };
    CARDS.iter().filter_map(card).collect()
}

/// What the template shows of a stage.
pub(super) fn view(run_id: &str, summary: &StageSummary, profile: &Profile) -> Value {
    let times: Vec<Value> = profile.bars.iter().map(|(what, _)| json!([json!(what), label(*what)])).collect();
    let errors = summary.failures.iter().map(|(kind, failures)| {
        let share = failures.count as f64 / summary.total as f64 * 100.0;
        json!({
            "kind": kind.name(),
            "count": grouped(failures.count),
            "share": format!("{} %", decimal(share, 2)),
            "example": failures.example,
        })
    });
    json!({
        "name": summary.stage.name,
        "label": stage_label(summary),
        "cards": cards(summary, profile),
        "limited": summary.health.as_ref().is_some_and(|health| health.client_limited),
        "verdict": summary.health.as_ref().map_or("its state was not recorded", |health| &health.verdict),
        "times": times,
        "tokens": profile.course.output_tps.iter().any(|&rate| rate > 0.0),
        "conversations": profile.conversations.as_ref().map(|view| conversations(run_id, view)),
        "percentiles": percentiles(summary),
        "figures": figures(summary),
        "errors": errors.collect::<Vec<_>>(),
        "health": summary.health.as_ref().map(health),
        "notes": summary.token_sources.iter().collect::<Vec<_>>(),
    })
}

/// The data of a stage's charts.
pub(super) fn charts(summary: &StageSummary, profile: &Profile) -> Value {
    let named = |what: &Drawn| json!(what).as_str().unwrap_or_default().to_string();
    let bars: Map<String, Value> = profile.bars.iter().map(|(w, bars)| (named(w), json!(bars))).collect();
    let cells: Map<String, Value> = profile.cells.iter().map(|(w, cells)| (named(w), json!(cells))).collect();
    let marks: Map<String, Value> = profile
        .bars
        .iter()
        .map(|(what, _)| {
            let of = |percent| Quantity::Of(metric(*what), Percentile::At(percent)).of(summary);
            let marks = [("p50", of(50.0)), ("p99", of(99.0))];
            let marks = marks.into_iter().filter_map(|(label, value)| Some(json!([label, value?])));
            (named(what), marks.collect())
        })
        .collect();
    json!({
        "bars": bars,
        "cells": cells,
        "marks": marks,
        "course": profile.course,
        "conversations": profile.conversations.as_ref().map(|view| json!({"turns": view.turns, "lanes": view.lanes})),
    })
}

/// The load of a stage in a few letters, for tabs and points.
pub(super) fn stage_label(summary: &StageSummary) -> String {
    let stage = &summary.stage;
    match (stage.parallel, stage.rate_rps) {
        (Some(parallel), None) => format!("{parallel} parallel"),
        (Some(parallel), Some(_)) => format!("{parallel} parallel, {} req/s", stage.rate_label()),
        (None, Some(_)) => format!("{} req/s", stage.rate_label()),
        (None, None) => stage.name.clone(),
    }
}

fn metric(what: Drawn) -> Metric {
    match what {
        Drawn::Ttft => Metric::Ttft,
        Drawn::Tpot => Metric::Tpot,
        Drawn::Itl => Metric::Itl,
        Drawn::Latency => Metric::Latency,
    }
}

fn label(what: Drawn) -> &'static str {
    match what {
        Drawn::Ttft => "Time to first token",
        Drawn::Tpot => "Time per output token",
        Drawn::Itl => "Inter-token latency",
        Drawn::Latency => "Latency",
    }
}

fn percentiles(summary: &StageSummary) -> Value {
    let row = |metric: Metric| {
        let distribution = summary.distribution(metric)?;
        let cells = PERCENTILES.iter().map(|row| decimal(row.of(distribution), metric.decimals()));
        Some(json!({"name": metric.label(), "cells": cells.collect::<Vec<_>>()}))
    };
    json!({
        "header": PERCENTILES.iter().map(|percentile| percentile.label()).collect::<Vec<_>>(),
        "rows": Metric::ALL.into_iter().filter_map(row).collect::<Vec<_>>(),
    })
}

fn figures(summary: &StageSummary) -> Vec<Value> {
    let counts = [
        ("Total Requests", grouped(summary.total)),
        ("Success Requests", grouped(summary.succeeded)),
        ("Failed Requests", grouped(summary.failed())),
        ("Concurrency", summary.stage.parallel_label()),
        ("Request Rate (req/s)", summary.stage.rate_label()),
    ];
    let counts = counts.into_iter().map(|(name, value)| json!([name, value]));
    let figures = summary.figures();
    counts.chain(figures.iter().map(|one| json!([one.name, decimal(one.value, one.decimals)]))).collect()
}

fn health(health: &ClientHealth) -> Vec<Value> {
    let lag = |lag: Option<LagSummary>| {
        lag.map_or_else(
            || ABSENT.to_string(),
            |lag| {
                let [p50, p99, max] = [lag.p50_ms, lag.p99_ms, lag.max_ms].map(|ms| decimal(ms, 3));
                format!("p50 {p50} ms, p99 {p99} ms, max {max} ms")
            },
        )
    };
    let percent = |value: Option<f64>| {
        value.map_or_else(|| ABSENT.to_string(), |value| format!("{} % of a core", decimal(value, 1)))
    };
    vec![
        json!(["Dispatch lag", lag(health.dispatch_lag)]),
        json!(["Event-loop lag", lag(health.loop_lag)]),
        json!(["CPU", percent(health.cpu_percent)]),
        json!(["Busiest worker", percent(health.worker_cpu_percent)]),
        json!([
            "Starved",
            format!("{} requests, {} ms", grouped(health.starved), decimal(health.starved_ms, 1))
        ]),
    ]
}

fn conversations(run_id: &str, view: &ConversationView) -> Value {
    let shown = |value: Option<f64>| value.map_or_else(|| ABSENT.to_string(), digits);
    let turns = view.turns.iter().map(|turn| {
        json!([
            turn.turn.to_string(),
            grouped(turn.requests),
            shown(turn.p50_ttft_ms),
            shown(turn.p90_ttft_ms),
            shown(turn.avg_input_tokens),
            shown(turn.cached_percent),
        ])
    });
    // An id that tickrate has made begins with the run's, which the page has already.
    let own =
        |id: &str| id.strip_prefix(run_id).and_then(|rest| rest.strip_prefix('-')).unwrap_or(id).to_string();
    let slowest = view.slowest.iter().map(|one| {
        json!([
            own(&one.id),
            one.turns.to_string(),
            one.failed.to_string(),
            grouped(one.output_tokens),
            decimal(one.duration_s, 3),
            decimal(one.busy_s, 3),
        ])
    });
    let most = view.turns.last().map_or(0, |turn| turn.turn);
    let more = if view.more { "More than " } else { "" };
    let count = grouped(view.count as u64);
    json!({
        "lead": format!("{more}{count} conversations of up to {most} turns. In the lanes the wait for the first token is fainter than the reply."),
        "lanes": view.lanes.len(),
        "turns": turns.collect::<Vec<_>>(),
        "slowest": slowest.collect::<Vec<_>>(),
    })
}
