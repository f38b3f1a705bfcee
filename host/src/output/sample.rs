//! Runs, stages and records for the tests of the outputs that store them.

use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::contract::{Failure, FailureKind, Framing};
use crate::record::{
    CachedSource, ClientHealth, LagSummary, Meaning, RequestKey, RequestRecord, RunHeader, StageEnd,
    StageHeader, StopReason, TokenCounts, TokenFrame, TokenSource, Wire,
};
use crate::units::Nanos;

pub(super) fn run() -> RunHeader {
    RunHeader {
        run_id: "run-1".into(),
        tickrate_version: "0.1.0".into(),
        started_at: "2026-01-01T00:00:00+00:00".into(),
        clock_origin_ns: 7,
        config: serde_json::json!({"model": "m", "rate": [0.1, 2.5]}),
        plugins: Vec::new(),
    }
}

pub(super) fn stage(folder: &Path) -> StageHeader {
    StageHeader {
        goodput: vec!["ttft:200".parse().unwrap_or_else(|_| unreachable!("a valid target"))],
        conversations: false,
        index: 0,
        name: "parallel_2_number_4".into(),
        parallel: Some(2),
        rate_rps: Some(0.3),
        number: 4,
        warmup: 1,
        folder: folder.to_path_buf(),
    }
}

pub(super) fn end(ms: f64) -> StageEnd {
    let lag = Some(LagSummary { p50_ms: ms, p99_ms: ms, max_ms: ms });
    StageEnd {
        settled: 2,
        succeeded: 2,
        started_ns: 5,
        finished_ns: 900,
        reason: StopReason::Count,
        health: ClientHealth {
            dispatch_lag: lag,
            loop_lag: lag,
            stamp_lag: None,
            cpu_percent: Some(ms),
            worker_cpu_percent: None,
            starved: 3,
            starved_ms: ms,
            trust_ms: Some(ms),
            client_limited: false,
            verdict: "trusted".into(),
        },
    }
}

pub(super) fn key(request_id: String) -> RequestKey {
    RequestKey {
        run_id: "run-1".into(),
        stage: "parallel_2_number_4".into(),
        request_id,
        attempt: 1,
        conversation_id: "c-1".into(),
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: "openai".into(),
        dataset: "random".into(),
        model: "m".into(),
        warmup: false,
    }
}

/// A streamed success of `frames` frames, one token each, some 20 ms apart.
pub(super) fn success(index: u64, frames: usize) -> RequestRecord {
    let at = |step: usize| Nanos(index as i64 * 1_003_017 + step as i64 * 20_000_000 + noise(index, step));
    let token_frames =
        (1..=frames).map(|step| TokenFrame { at: at(step), tokens: Some(1), answer: true }).collect();
    let wire = Wire {
        due: at(0),
        sent: Some(at(0) + Nanos(40_000 + noise(index, 77_777) / 10)),
        first_byte: Some(at(1)),
        closed: at(frames + 1),
        framing: Framing::Sse,
        frames: frames as u32 + 2,
        bytes_in: 20_000,
        bytes_out: 4_000,
        connection_reused: Some(true),
        stale_connections: 1,
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
    RequestRecord::new(key(format!("run-1-{index}")), 0, wire, meaning)
}

/// Up to a millisecond that looks random, so that files are not smaller than real ones.
fn noise(index: u64, step: usize) -> i64 {
    let mixed = (index << 20 ^ step as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20) as i64 % 1_000_000
}

fn moment() -> impl Strategy<Value = Nanos> {
    (-1_000_000_000_i64..1_000_000_000_000_000).prop_map(Nanos)
}

fn text() -> impl Strategy<Value = String> {
    "[a-z0-9 \"\\\\\\n\u{0}é好]{0,12}"
}

fn any_wire() -> impl Strategy<Value = Wire> {
    let framing =
        prop_oneof![Just(Framing::Sse), Just(Framing::Ndjson), Just(Framing::Raw), Just(Framing::Whole)];
    let times = (moment(), option::of(moment()), option::of(moment()), moment());
    let sizes = (any::<u32>(), 0..u64::MAX / 2, 0..u64::MAX / 2);
    (times, framing, sizes, any::<(Option<bool>, u32)>(), any::<Option<u16>>()).prop_map(
        |(
            (due, sent, first_byte, closed),
            framing,
            (frames, bytes_in, bytes_out),
            (connection_reused, stale_connections),
            status,
        )| Wire {
            due,
            sent,
            first_byte,
            closed,
            framing,
            frames,
            bytes_in,
            bytes_out,
            connection_reused,
            stale_connections,
            status,
        },
    )
}

fn any_meaning() -> impl Strategy<Value = Meaning> {
    let count = || option::of(0..u64::MAX / 2);
    let source =
        prop_oneof![Just(TokenSource::Server), Just(TokenSource::Tokenizer), Just(TokenSource::Mixed)];
    let cached_source = prop_oneof![Just(CachedSource::Server), Just(CachedSource::Estimated)];
    let cached = option::of((0..u64::MAX / 2, cached_source));
    let tokens = (count(), count(), count(), cached, option::of(source)).prop_map(
        |(input, output, reasoning, cached, source)| {
            let (cached, cached_source) = cached.unzip();
            TokenCounts { input, output, reasoning, cached, cached_source, source }
        },
    );
    let frame = (moment(), option::of(0..i32::MAX as u32), any::<bool>())
        .prop_map(|(at, tokens, answer)| TokenFrame { at, tokens, answer });
    let failure = (0..FailureKind::ALL.len(), text())
        .prop_map(|(kind, message)| Failure { kind: FailureKind::ALL[kind], message });
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    let bare = (vec(moment(), 0..3), vec(moment(), 0..3));
    let frames = (vec(frame, 0..6), bare);
    (frames, tokens, option::of(failure), texts, btree_map(text(), text(), 0..4)).prop_map(
        |((token_frames, bare), tokens, failure, (finish_reason, prompt, output), labels)| Meaning {
            token_frames,
            bare_choices: bare.0,
            bare_events: bare.1,
            tokens,
            failure,
            finish_reason,
            labels: labels.into_iter().collect(),
            prompt,
            output,
        },
    )
}

/// Any record that the engine could make.
pub(super) fn any_record() -> impl Strategy<Value = RequestRecord> {
    let small = 0..i32::MAX as u32;
    let counts = (small.clone(), small.clone(), small.clone(), small);
    let names = (text(), text(), text(), "[mn]");
    (names, counts, any::<bool>(), any_wire(), any_meaning()).prop_map(
        |(
            (request_id, conversation_id, api, model),
            (attempt, turn, input_turns, worker),
            warmup,
            wire,
            meaning,
        )| {
            let names =
                RequestKey { api: api.into(), model: model.into(), conversation_id, ..key(request_id) };
            let key = RequestKey { attempt, turn, input_turns, warmup, ..names };
            RequestRecord::new(key, worker, wire, meaning)
        },
    )
}
