//! Records of made-up runs, for the benches: shared by `#[path]`. Not every bench uses all of it.
#![allow(dead_code)]

use std::path::Path;

use tickrate::contract::Framing;
use tickrate::record::{
    ClientHealth, Meaning, RequestKey, RequestRecord, RunHeader, StageEnd, StageHeader, StopReason,
    TokenCounts, TokenFrame, TokenSource, Wire,
};
use tickrate::units::Nanos;

/// A run.
pub fn run() -> RunHeader {
    RunHeader {
        run_id: "20260101-000000-00000000".into(),
        tickrate_version: "0.1.0".into(),
        started_at: "2026-01-01T00:00:00+00:00".into(),
        clock_origin_ns: 0,
        config: serde_json::json!({}),
        plugins: Vec::new(),
    }
}

/// Its only stage, of `rows` requests, in `folder`.
pub fn stage(folder: &Path, rows: u64) -> StageHeader {
    StageHeader {
        index: 0,
        name: format!("parallel_64_number_{rows}"),
        parallel: Some(64),
        rate_rps: None,
        number: rows,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: folder.to_path_buf(),
    }
}

/// The end of that stage.
pub fn end(rows: u64) -> StageEnd {
    StageEnd {
        settled: rows,
        succeeded: rows,
        started_ns: 0,
        finished_ns: 1,
        reason: StopReason::Count,
        health: ClientHealth {
            dispatch_lag: None,
            loop_lag: None,
            stamp_lag: None,
            cpu_percent: None,
            worker_cpu_percent: None,
            starved: 0,
            starved_ms: 0.0,
            trust_ms: None,
            client_limited: false,
            verdict: String::new(),
        },
    }
}

/// The record of a streamed success of one token a frame.
pub fn record(index: u64, frames: usize) -> RequestRecord {
    let (key, wire, meaning) = parts(index, frames);
    RequestRecord::new(key, 0, wire, meaning)
}

/// What such a record is made of. Its frames are some 20 ms apart, as irregularly as real ones.
pub fn parts(index: u64, frames: usize) -> (RequestKey, Wire, Meaning) {
    let at = |step: usize| Nanos(index as i64 * 1_003_017 + step as i64 * 20_000_000 + noise(index, step));
    let token_frames =
        (1..=frames).map(|step| TokenFrame { at: at(step), tokens: Some(1), answer: true }).collect();
    let key = RequestKey {
        run_id: "20260101-000000-00000000".into(),
        stage: "parallel_64_number_1000000".into(),
        request_id: format!("20260101-000000-00000000-{index}"),
        attempt: 1,
        conversation_id: index.to_string(),
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: "openai".into(),
        dataset: "random".into(),
        model: "simulated".into(),
        warmup: false,
    };
    let wire = Wire {
        due: at(0),
        sent: Some(at(0) + Nanos(40_000 + noise(index, 77_777) / 10)),
        first_byte: Some(at(1)),
        closed: at(frames + 1),
        framing: Framing::Sse,
        frames: frames as u32 + 2,
        bytes_in: 200 * frames as u64,
        bytes_out: 4_000,
        connection_reused: Some(true),
        stale_connections: 0,
        status: Some(200),
    };
    let tokens = TokenCounts {
        input: Some(1024),
        output: Some(frames as u64),
        source: Some(TokenSource::Server),
        ..TokenCounts::default()
    };
    let finish_reason = Some("length".to_string());
    let meaning = Meaning { token_frames, tokens, finish_reason, ..Meaning::default() };
    (key, wire, meaning)
}

/// Up to a millisecond that looks random.
fn noise(index: u64, step: usize) -> i64 {
    let mixed = (index << 20 ^ step as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20) as i64 % 1_000_000
}
