//! A run in the text format of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::super::live::{Board, Phase, Spread, StageProgress};

/// The metrics of the run so far: those of stages that are over stay.
pub(super) fn metrics(board: &Board) -> String {
    let snapshot = board.snapshot();
    let mut stages = board.finished();
    stages.extend(snapshot.stage.filter(|stage| stage.phase != Phase::Finished));
    let mut out = Text(String::new());
    out.family("tickrate_requests_in_flight", "gauge", "Requests on their way now.");
    for stage in &stages {
        out.sample("tickrate_requests_in_flight", stage, &[], stage.in_flight as f64);
    }
    out.family("tickrate_requests_total", "counter", "Requests that are over, without the warm-up.");
    for stage in &stages {
        out.sample("tickrate_requests_total", stage, &[("outcome", "success")], stage.succeeded as f64);
        out.sample("tickrate_requests_total", stage, &[("outcome", "failure")], stage.failed as f64);
    }
    out.family("tickrate_errors_total", "counter", "Requests that failed, by kind.");
    for stage in &stages {
        for (kind, count) in &stage.errors {
            out.sample("tickrate_errors_total", stage, &[("kind", kind)], *count as f64);
        }
    }
    out.family("tickrate_tokens_total", "counter", "Tokens of the requests that succeeded.");
    for stage in &stages {
        for (direction, tokens) in [("input", stage.input_tokens), ("output", stage.output_tokens)] {
            if let Some(tokens) = tokens {
                out.sample("tickrate_tokens_total", stage, &[("direction", direction)], tokens as f64);
            }
        }
    }
    out.family("tickrate_stage_done_ratio", "gauge", "How much of the stage is done, from 0 to 1.");
    for stage in &stages {
        out.sample("tickrate_stage_done_ratio", stage, &[], stage.done_ratio);
    }
    let times: [(&str, &str, Times); 4] = [
        ("tickrate_request_latency_seconds", "Completed - sent.", |stage| stage.latency_ms),
        ("tickrate_time_to_first_token_seconds", "First token - sent.", |stage| stage.ttft_ms),
        ("tickrate_time_per_output_token_seconds", "Time per output token.", |stage| stage.tpot_ms),
        ("tickrate_inter_token_latency_seconds", "Between frames that carried output.", |stage| stage.itl_ms),
    ];
    for (name, help, of) in times {
        out.family(name, "summary", help);
        for stage in &stages {
            let Some(spread) = of(stage) else { continue };
            for (quantile, ms) in [("0.5", spread.p50), ("0.9", spread.p90), ("0.99", spread.p99)] {
                out.sample(name, stage, &[("quantile", quantile)], ms / 1e3);
            }
            out.sample(&format!("{name}_sum"), stage, &[], spread.mean * spread.count as f64 / 1e3);
            out.sample(&format!("{name}_count"), stage, &[], spread.count as f64);
        }
    }
    let client = snapshot.client;
    if let Some(percent) = client.cpu_percent {
        out.family("tickrate_client_cpu_ratio", "gauge", "CPU of the client, in cores.");
        let _ = writeln!(out.0, "tickrate_client_cpu_ratio {}", percent / 100.0);
    }
    if let Some(ms) = client.loop_lag_ms {
        out.family("tickrate_client_loop_lag_seconds", "gauge", "The latest that an event loop was of late.");
        let _ = writeln!(out.0, "tickrate_client_loop_lag_seconds {}", ms / 1e3);
    }
    out.0
}

/// Times of one kind of a stage.
type Times = fn(&StageProgress) -> Option<Spread>;

struct Text(String);

// Writing to a string cannot fail.
impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, stage: &StageProgress, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.0, "{name}{{stage=\"{}\"", escaped(&stage.name));
        for (label, text) in labels {
            let _ = write!(self.0, ",{label}=\"{}\"", escaped(text));
        }
        let _ = writeln!(self.0, "}} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use crate::clock::Clock;
    use crate::contract::{Failure, FailureKind};
    use crate::record::Event;
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn the_metrics_of_a_run_are_those_of_its_records() {
        let board = Board::new(Clock::start(), Arc::default(), Some(1), None);
        let stage = Arc::new(sample::stage(Path::new("x")));
        board.tell(&Event::StageStarted(stage.clone()));
        let good = sample::success(1, 5);
        let mut failed = sample::success(2, 5);
        failed.failure = Some(Failure::new(FailureKind::Connect, "refused"));
        board.tell(&Event::RequestSettled(Box::new(good.clone())));
        board.tell(&Event::RequestSettled(Box::new(failed)));
        let check = || {
            let text = metrics(&board);
            for line in [
                "# TYPE tickrate_requests_total counter",
                "tickrate_requests_in_flight{stage=\"parallel_2_number_4\"} 0",
                "tickrate_requests_total{stage=\"parallel_2_number_4\",outcome=\"success\"} 1",
                "tickrate_requests_total{stage=\"parallel_2_number_4\",outcome=\"failure\"} 1",
                "tickrate_errors_total{stage=\"parallel_2_number_4\",kind=\"connect\"} 1",
                "tickrate_tokens_total{stage=\"parallel_2_number_4\",direction=\"output\"} 5",
                "tickrate_inter_token_latency_seconds_count{stage=\"parallel_2_number_4\"} 4",
                &format!(
                    "tickrate_time_to_first_token_seconds_sum{{stage=\"parallel_2_number_4\"}} {}",
                    good.ttft_ms.unwrap() / 1e3
                ),
            ] {
                assert!(text.lines().any(|told| told == line), "{line}\n{text}");
            }
        };
        check();
        // They stay when the stage is over, once each.
        board.tell(&Event::StageFinished(stage, Box::new(sample::end(1.0))));
        check();
        assert_eq!(metrics(&board).matches("tickrate_stage_done_ratio{").count(), 1);
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
