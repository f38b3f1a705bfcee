//! Requests as spans, in the JSON of an `ExportTraceServiceRequest`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::subject::{Subject, number, text, whole};
use crate::record::RequestRecord;
use crate::units::Nanos;

/// How many spans may wait for the collector.
const MOST_WAITING: usize = 8_192;
/// How many are sent at a time.
const MOST_AT_A_TIME: usize = 512;

/// A span that calls somebody.
const CLIENT: u32 = 3;
/// The status of what went wrong.
const ERROR: u32 = 2;

/// The requests whose spans wait for the collector.
#[derive(Debug)]
pub(super) struct Spans {
    /// The share of the conversations that there are spans of, from 0 to 1.
    share: f64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: Vec<Value>,
    lost: u64,
}

impl Spans {
    pub(super) fn new(share: f64) -> Spans {
        Spans { share, waiting: Mutex::default() }
    }

    /// Keeps the span of a request, if it is among the chosen ones and there is room. `started_unix_ns` is the
    /// start of the run.
    pub(super) fn push(&self, record: &RequestRecord, subject: &Subject, started_unix_ns: i64) {
        let trace = trace_id(record);
        // The turns of a conversation are one trace, and chosen together.
        let drawn = u64::from_be_bytes(std::array::from_fn(|index| trace[index])) as f64 / u64::MAX as f64;
        if drawn > self.share {
            return;
        }
        if self.lock().spans.len() >= MOST_WAITING {
            self.lock().lost += 1;
            return;
        }
        let span = span(record, &trace, subject, started_unix_ns);
        self.lock().spans.push(span);
    }

    /// The next ones to be sent, oldest first. They stay until they are done with.
    pub(super) fn next(&self) -> Vec<Value> {
        let waiting = self.lock();
        waiting.spans[..waiting.spans.len().min(MOST_AT_A_TIME)].to_vec()
    }

    /// Forgets the oldest ones: the collector has them, or else (`lost`) will never have them.
    pub(super) fn done_with(&self, many: usize, lost: bool) {
        let mut waiting = self.lock();
        waiting.spans.drain(..many);
        waiting.lost += if lost { many as u64 } else { 0 };
    }

    /// How many the collector will never get.
    pub(super) fn lost(&self) -> u64 {
        let waiting = self.lock();
        waiting.lost + waiting.spans.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked of the collector: to take `spans`.
pub(super) fn request(resource: &Value, scope: &Value, spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]})
}

/// The conversation's; a plain request is one of one turn.
fn trace_id(record: &RequestRecord) -> [u8; 16] {
    let key = &record.key;
    let digest = Sha256::digest(format!("{}\n{}\n{}", key.run_id, key.stage, key.conversation_id));
    std::array::from_fn(|index| digest[index])
}

fn span_id(record: &RequestRecord) -> [u8; 8] {
    let key = &record.key;
    let digest = Sha256::digest(format!("{}\n{}\n{}", key.run_id, key.request_id, key.attempt));
    std::array::from_fn(|index| digest[index])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn span(record: &RequestRecord, trace: &[u8], subject: &Subject, started_unix_ns: i64) -> Value {
    let key = &record.key;
    let at = |moment: Nanos| (started_unix_ns + moment.0).to_string();
    let mut attributes = Subject { model: key.model.to_string(), ..subject.clone() }.attributes();
    attributes.push(text("tickrate.stage", &key.stage));
    attributes.push(text("tickrate.request_id", &key.request_id));
    attributes.push(whole("tickrate.attempt", u64::from(key.attempt)));
    if key.conversation_turns > 1 {
        attributes.push(text("gen_ai.conversation.id", &key.conversation_id));
        attributes.push(whole("tickrate.turn", u64::from(key.turn)));
    }
    let seconds = [
        ("gen_ai.response.time_to_first_chunk", record.ttft_ms),
        ("tickrate.time_per_output_token", record.tpot_ms),
        ("tickrate.dispatch_lag", record.dispatch_lag_ms),
    ];
    attributes.extend(seconds.iter().filter_map(|(key, ms)| Some(number(key, (*ms)? / 1e3))));
    let counts = [
        ("gen_ai.usage.input_tokens", record.tokens.input),
        ("gen_ai.usage.output_tokens", record.tokens.output),
        ("gen_ai.usage.reasoning.output_tokens", record.tokens.reasoning),
        ("gen_ai.usage.cache_read.input_tokens", record.tokens.cached),
        ("http.response.status_code", record.status.map(u64::from)),
    ];
    attributes.extend(counts.iter().filter_map(|(key, count)| Some(whole(key, (*count)?))));
    if let Some(reason) = &record.finish_reason {
        let value = json!({"arrayValue": {"values": [{"stringValue": reason}]}});
        attributes.push(json!({"key": "gen_ai.response.finish_reasons", "value": value}));
    }
    let mut span = json!({
        "traceId": hex(trace),
        "spanId": hex(&span_id(record)),
        "name": format!("{} {}", subject.operation, key.model),
        "kind": CLIENT,
        // What was never sent was waiting to be.
        "startTimeUnixNano": at(record.sent.unwrap_or(record.due)),
        "endTimeUnixNano": at(record.completed),
    });
    if let Some(first_token) = record.first_token {
        span["events"] = json!([{"timeUnixNano": at(first_token), "name": "first token"}]);
    }
    if let Some(failure) = &record.failure {
        attributes.push(text("error.type", failure.kind.name()));
        span["status"] = json!({"code": ERROR, "message": failure.message});
    }
    span["attributes"] = json!(attributes);
    span
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use crate::contract::{Failure, FailureKind};

    fn subject() -> Subject {
        Subject::new("openai", "m", &["http://h/v1/chat/completions"])
    }

    #[test]
    fn a_request_is_a_span_of_its_own_moments() {
        let spans = Spans::new(1.0);
        let mut record = sample::success(1, 5);
        record.failure = Some(Failure::new(FailureKind::Truncated, "cut"));
        spans.push(&record, &subject(), 1_000_000_000_000);
        let span = spans.next().remove(0);
        let sent = record.sent.unwrap().0 + 1_000_000_000_000;
        assert_eq!(span["startTimeUnixNano"], json!(sent.to_string()));
        assert_eq!(span["name"], "chat m");
        assert_eq!(span["status"], json!({"code": 2, "message": "cut"}));
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
        let attributes = span["attributes"].as_array().unwrap();
        assert!(attributes.contains(&whole("gen_ai.usage.output_tokens", 5)), "{attributes:?}");
        assert!(attributes.contains(&text("error.type", "truncated")), "{attributes:?}");
    }

    #[test]
    fn turns_of_a_conversation_are_one_trace_and_chosen_together() {
        let spans = Spans::new(0.25);
        for conversation in 0..400 {
            for turn in 0..2 {
                let mut record = sample::success(conversation * 2 + turn, 1);
                record.key.conversation_id = conversation.to_string();
                spans.push(&record, &subject(), 0);
            }
        }
        let taken = spans.next();
        assert!((100..300).contains(&taken.len()), "{} of 800", taken.len());
        for pair in taken.chunks(2) {
            assert_eq!(pair[0]["traceId"], pair[1]["traceId"]);
            assert_ne!(pair[0]["spanId"], pair[1]["spanId"]);
        }
    }

    #[test]
    fn more_than_there_is_room_for_is_lost_and_counted() {
        let spans = Spans::new(1.0);
        let record = sample::success(1, 1);
        (0..MOST_WAITING + 3).for_each(|_| spans.push(&record, &subject(), 0));
        assert_eq!(spans.lost(), MOST_WAITING as u64 + 3, "as long as nobody sends any");
        assert_eq!(spans.next().len(), MOST_AT_A_TIME);
        spans.done_with(MOST_AT_A_TIME, true);
        while !spans.next().is_empty() {
            spans.done_with(spans.next().len(), false);
        }
        assert_eq!(spans.lost(), MOST_AT_A_TIME as u64 + 3);
    }
}
