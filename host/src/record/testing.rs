//! Records for the tests of what is computed from them.

use super::{Meaning, RequestKey, RequestRecord, TokenCounts, TokenFrame, Wire};
use crate::contract::{Failure, FailureKind, Framing};
use crate::units::Nanos;

/// The key of a first attempt.
pub(super) fn key() -> RequestKey {
    RequestKey {
        run_id: "r".into(),
        stage: "s".into(),
        request_id: "i".into(),
        attempt: 1,
        conversation_id: "c".into(),
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: "a".into(),
        dataset: "d".into(),
        model: "m".into(),
        warmup: false,
    }
}

fn wire(sent_ms: f64, latency_ms: f64, framing: Framing) -> Wire {
    let sent = Nanos::from_ms(sent_ms);
    Wire {
        due: sent,
        sent: Some(sent),
        first_byte: None,
        closed: sent + Nanos::from_ms(latency_ms),
        framing,
        frames: 1,
        bytes_in: 1,
        bytes_out: 1,
        connection_reused: None,
        stale_connections: 0,
        status: Some(200),
    }
}

/// A success that was not streamed.
pub(crate) fn whole(sent_ms: f64, latency_ms: f64) -> RequestRecord {
    RequestRecord::new(key(), 0, wire(sent_ms, latency_ms, Framing::Whole), Meaning::default())
}

/// A failure.
pub(crate) fn failed(sent_ms: f64, latency_ms: f64) -> RequestRecord {
    let meaning =
        Meaning { failure: Some(Failure::new(FailureKind::Truncated, "cut")), ..Meaning::default() };
    RequestRecord::new(key(), 0, wire(sent_ms, latency_ms, Framing::Whole), meaning)
}

/// A streamed success of `tokens` frames of a token each, the first after `ttft_ms` and the others
/// `itl_ms` apart.
pub(crate) fn streamed(sent_ms: f64, ttft_ms: f64, itl_ms: f64, tokens: u32) -> RequestRecord {
    let at = |step: u32| Nanos::from_ms(sent_ms + ttft_ms + itl_ms * f64::from(step));
    let frame = |step| TokenFrame { at: at(step), tokens: Some(1), answer: true };
    let counts = TokenCounts { input: Some(100), output: Some(u64::from(tokens)), ..TokenCounts::default() };
    let meaning =
        Meaning { token_frames: (0..tokens).map(frame).collect(), tokens: counts, ..Meaning::default() };
    let latency_ms = ttft_ms + itl_ms * f64::from(tokens - 1);
    RequestRecord::new(key(), 0, wire(sent_ms, latency_ms, Framing::Sse), meaning)
}
