//! Metrics as the JSON of an `ExportMetricsServiceRequest`. Whole numbers of 64 bits are texts there.

use serde_json::{Value, json};

use super::super::live::Snapshot;
use super::figures::{Histogram, StageFigures};
use super::subject::{Subject, text};

/// Values are from the start on, not since the last time.
const CUMULATIVE: u32 = 2;

/// What is asked of the collector: to take the figures of `stages`, and what `snapshot` knows of this moment.
/// `None` if there is nothing to tell.
pub(super) fn request(
    resource: &Value,
    scope: &Value,
    subject: &Subject,
    stages: &[StageFigures],
    snapshot: &Snapshot,
    now_unix_ns: i64,
) -> Option<Value> {
    let mut metrics = Metrics { subject: subject.attributes(), now_unix_ns, out: Vec::new() };
    metrics.of_requests(stages);
    metrics.of_moment(stages, snapshot);
    let metrics = metrics.out;
    (!metrics.is_empty()).then(|| {
        json!({"resourceMetrics": [{
            "resource": resource,
            "scopeMetrics": [{"scope": scope, "metrics": metrics}],
        }]})
    })
}

struct Metrics {
    subject: Vec<Value>,
    now_unix_ns: i64,
    out: Vec<Value>,
}

impl Metrics {
    fn of_requests(&mut self, stages: &[StageFigures]) {
        let durations = stages.iter().flat_map(|stage| {
            stage.duration_s.iter().map(move |(error, histogram)| {
                (stage, histogram, error.map(|kind| text("error.type", kind)).into_iter().collect())
            })
        });
        let about = "Completed - sent.";
        self.histogram("gen_ai.client.operation.duration", "s", about, durations.collect());
        let tokens = stages.iter().flat_map(|stage| {
            [("input", &stage.input_tokens), ("output", &stage.output_tokens)]
                .map(|(kind, histogram)| (stage, histogram, vec![text("gen_ai.token.type", kind)]))
        });
        self.histogram("gen_ai.client.token.usage", "{token}", "Tokens of a request.", tokens.collect());
        let times: [(&str, &str, Times); 4] = [
            (
                "gen_ai.client.operation.time_to_first_chunk",
                "First chunk that carried output - sent.",
                |stage| &stage.first_chunk_s,
            ),
            (
                "gen_ai.client.operation.time_per_output_chunk",
                "Between chunks that carried output.",
                |stage| &stage.chunk_s,
            ),
            ("gen_ai.server.time_to_first_token", "First token - sent, as the client sees it.", |stage| {
                &stage.ttft_s
            }),
            (
                "gen_ai.server.time_per_output_token",
                "(Latency - time to first token) / (output tokens - 1), as the client sees it.",
                |stage| &stage.tpot_s,
            ),
        ];
        for (name, about, of) in times {
            let points = stages.iter().map(|stage| (stage, of(stage), Vec::new()));
            self.histogram(name, "s", about, points.collect());
        }
        let mut points = Vec::new();
        for stage in stages {
            let outcomes = std::iter::once((None, stage.succeeded));
            for (error, count) in
                outcomes.chain(stage.failed.iter().map(|(kind, count)| (Some(*kind), *count)))
            {
                let outcome = if error.is_some() { "failure" } else { "success" };
                let mut more = vec![text("tickrate.outcome", outcome)];
                more.extend(error.map(|kind| text("error.type", kind)));
                let mut point = self.point(stage, more);
                point["asInt"] = json!(count.to_string());
                points.push(point);
            }
        }
        if !points.is_empty() {
            let sum =
                json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points});
            self.push("tickrate.requests", "{request}", "Requests that are over.", "sum", sum);
        }
    }

    /// What is so at this moment, and not counted.
    fn of_moment(&mut self, stages: &[StageFigures], snapshot: &Snapshot) {
        let running = stages.last().filter(|stage| stage.finished_unix_ns.is_none());
        if let Some((stage, now)) = running.zip(snapshot.stage.as_ref()).filter(|(a, b)| a.index == b.index) {
            let mut point = self.point(stage, Vec::new());
            point["asInt"] = json!(now.in_flight.to_string());
            self.gauge("tickrate.in_flight", "{request}", "Requests on their way now.", point);
            let mut point = self.point(stage, Vec::new());
            point["asDouble"] = json!(now.done_ratio);
            self.gauge(
                "tickrate.stage.done_ratio",
                "1",
                "How much of the stage is done, from 0 to 1.",
                point,
            );
        }
        let client = snapshot.client;
        for (name, unit, about, value) in [
            ("tickrate.client.cpu", "{cpu}", "CPU of the client.", client.cpu_percent.map(|it| it / 100.0)),
            (
                "tickrate.client.loop_lag",
                "s",
                "The latest that an event loop of the client was of late.",
                client.loop_lag_ms.map(|ms| ms / 1e3),
            ),
        ] {
            if let Some(value) = value {
                let point = json!({"timeUnixNano": self.now_unix_ns.to_string(), "asDouble": value});
                self.gauge(name, unit, about, point);
            }
        }
    }

    fn histogram(&mut self, name: &str, unit: &str, about: &str, points: Vec<Distribution<'_>>) {
        let points = points.into_iter().filter(|(_, histogram, _)| histogram.count() > 0);
        let points: Vec<Value> = points
            .map(|(stage, histogram, more)| {
                let mut point = self.point(stage, more);
                let counts: Vec<String> = histogram.counts.iter().map(u64::to_string).collect();
                point["count"] = json!(histogram.count().to_string());
                point["sum"] = json!(histogram.sum);
                point["min"] = json!(histogram.min);
                point["max"] = json!(histogram.max);
                point["bucketCounts"] = json!(counts);
                point["explicitBounds"] = json!(histogram.bounds);
                point
            })
            .collect();
        if !points.is_empty() {
            let data = json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points});
            self.push(name, unit, about, "histogram", data);
        }
    }

    fn gauge(&mut self, name: &str, unit: &str, about: &str, point: Value) {
        self.push(name, unit, about, "gauge", json!({"dataPoints": [point]}));
    }

    fn push(&mut self, name: &str, unit: &str, about: &str, kind: &str, data: Value) {
        self.out.push(json!({"name": name, "unit": unit, "description": about, kind: data}));
    }

    /// A point of a stage, without its value.
    fn point(&self, stage: &StageFigures, more: Vec<Value>) -> Value {
        let mut attributes = self.subject.clone();
        attributes.push(text("tickrate.stage", &stage.name));
        attributes.extend(more);
        json!({
            "attributes": attributes,
            "startTimeUnixNano": stage.started_unix_ns.to_string(),
            "timeUnixNano": stage.finished_unix_ns.unwrap_or(self.now_unix_ns).to_string(),
        })
    }
}

/// Times of one kind of a stage.
type Times = fn(&StageFigures) -> &Histogram;
/// A stage, something of it, and the attributes that set it apart.
type Distribution<'a> = (&'a StageFigures, &'a Histogram, Vec<Value>);

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use crate::contract::{Failure, FailureKind};

    fn points<'a>(request: &'a Value, name: &str, kind: &str) -> &'a Vec<Value> {
        let metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
        let metric = metrics.iter().find(|metric| metric["name"] == name).unwrap();
        metric[kind]["dataPoints"].as_array().unwrap()
    }

    #[test]
    fn a_stage_is_told_with_what_it_is_about() {
        let mut stage = StageFigures::new("parallel_2_number_4", 0, 1_000);
        let good = sample::success(1, 5);
        stage.push(&good);
        let mut failed = sample::success(2, 5);
        failed.failure = Some(Failure::new(FailureKind::Connect, "refused"));
        stage.push(&failed);
        let subject = Subject::new("openai", "m", &["http://h:80/v1/chat/completions"]);
        let tell = |stages: &[StageFigures]| {
            request(&json!("resource"), &json!("scope"), &subject, stages, &Snapshot::default(), 2_000)
        };
        let request = tell(&[stage]).unwrap();
        let durations = points(&request, "gen_ai.client.operation.duration", "histogram");
        assert_eq!(durations.len(), 2, "one for successes and one for a kind of failure");
        assert_eq!(durations[0]["sum"], json!(good.latency_ms.unwrap() / 1e3));
        assert_eq!(
            durations[1]["attributes"],
            json!([
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
                {"key": "server.address", "value": {"stringValue": "h"}},
                {"key": "server.port", "value": {"intValue": "80"}},
                {"key": "tickrate.stage", "value": {"stringValue": "parallel_2_number_4"}},
                {"key": "error.type", "value": {"stringValue": "connect"}},
            ])
        );
        let chunks = &points(&request, "gen_ai.client.operation.time_per_output_chunk", "histogram")[0];
        assert_eq!((&chunks["count"], &chunks["startTimeUnixNano"]), (&json!("4"), &json!("1000")));
        let requests = points(&request, "tickrate.requests", "sum");
        assert_eq!((&requests[0]["asInt"], &requests[1]["asInt"]), (&json!("1"), &json!("1")));
        assert!(tell(&[]).is_none(), "nothing is not worth a request");
    }
}
