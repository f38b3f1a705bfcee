//! The formulas of a single request, on numbers that can be checked by hand.

use super::testing::key;
use super::*;
use crate::contract::FailureKind;

fn wire(framing: Framing) -> Wire {
    Wire {
        due: Nanos::from_ms(-3.0),
        sent: Some(Nanos::ZERO),
        first_byte: Some(Nanos::from_ms(90.0)),
        closed: Nanos::from_ms(211.0),
        framing,
        frames: 6,
        bytes_in: 1,
        bytes_out: 1,
        connection_reused: None,
        stale_connections: 0,
        status: Some(200),
    }
}

fn frame(ms: f64, tokens: u32) -> TokenFrame {
    TokenFrame { at: Nanos::from_ms(ms), tokens: Some(tokens), answer: true }
}

fn meaning(frames: &[TokenFrame], output: u64) -> Meaning {
    Meaning {
        token_frames: frames.to_vec(),
        tokens: TokenCounts { input: Some(5), output: Some(output), ..TokenCounts::default() },
        ..Meaning::default()
    }
}

/// A role-only frame at 100 ms, "A" at 150, "B" at 200, usage at 210 and the end at 211 ms.
#[test]
fn the_worked_example_gives_the_token_accurate_figures() {
    let record =
        RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&[frame(150.0, 1), frame(200.0, 1)], 2));
    assert_eq!(record.ttft_ms, Some(150.0));
    assert_eq!(record.latency_ms, Some(200.0));
    assert_eq!(record.tpot_ms, Some(50.0));
    assert_eq!(record.time_per_token_ms, Some(50.0));
    assert_eq!(record.itl_ms, [50.0]);
    assert_eq!(record.dispatch_lag_ms, Some(3.0));
    assert_eq!(record.ttft_from_due_ms(), Some(153.0));
    assert_eq!(record.latency_from_due_ms(), Some(203.0));
    assert_eq!(record.decoded_tokens_per_iter(), Some(1.0));
    assert_eq!(record.output_tps(), Some(10.0));
    assert_eq!(record.total_tps(), Some(35.0));
    assert_eq!(record.decode_tps(), Some(20.0));
    assert_eq!(record.normalized_latency_ms(), Some(100.0));
    assert_eq!(record.input_tps(), None);
}

#[test]
fn input_has_a_rate_of_its_own_only_where_there_is_no_output() {
    let tokens = TokenCounts { input: Some(422), ..TokenCounts::default() };
    let record = RequestRecord::new(key(), 0, wire(Framing::Whole), Meaning { tokens, ..Meaning::default() });
    assert_eq!(record.input_tps(), Some(2000.0));
    assert_eq!((record.total_tps(), record.output_tps()), (None, None));
}

#[test]
fn frames_of_several_tokens_do_not_shorten_the_time_per_token() {
    // 5 ms a token, four tokens a frame: 50, 70, 90 ms.
    let frames = [frame(50.0, 4), frame(70.0, 4), frame(90.0, 4)];
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&frames, 12));
    assert_eq!(record.time_per_token_ms, Some(5.0));
    assert!(record.tpot_ms.unwrap() < 4.0, "the baseline's formula forgets the first frame's tokens");
    assert_eq!(record.decoded_tokens_per_iter(), Some(5.5));
    let unknown = frames.map(|frame| TokenFrame { tokens: None, ..frame });
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&unknown, 12));
    assert_eq!(record.time_per_token_ms, Some(5.0), "twelve tokens in three frames are four in the first");
}

#[test]
fn a_single_token_has_no_time_per_token_and_a_whole_reply_no_ttft() {
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&[frame(150.0, 1)], 1));
    assert_eq!((record.tpot_ms, record.time_per_token_ms), (None, None));
    assert!(record.itl_ms.is_empty());
    let record = RequestRecord::new(key(), 0, wire(Framing::Whole), meaning(&[frame(150.0, 1)], 9));
    assert_eq!((record.ttft_ms, record.tpot_ms, record.first_token), (None, None, None));
    assert_eq!(record.latency_ms, Some(211.0));
}

#[test]
fn a_failed_stream_keeps_its_tokens_and_ends_when_it_was_closed() {
    let mut meaning = meaning(&[frame(150.0, 1), frame(160.0, 1)], 2);
    meaning.failure = Some(Failure::new(FailureKind::Truncated, "cut"));
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning);
    assert_eq!(record.completed, Nanos::from_ms(211.0));
    assert_eq!(record.ttft_ms, Some(150.0));
    assert!(!record.ok());
}

#[test]
fn reasoning_comes_before_the_answer() {
    let mut frames = [frame(100.0, 1), frame(150.0, 1)];
    frames[0].answer = false;
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&frames, 2));
    assert_eq!(record.ttft_ms, Some(100.0));
    assert_eq!(record.first_answer_ms(), Some(150.0));
    frames[0].answer = true;
    let record = RequestRecord::new(key(), 0, wire(Framing::Sse), meaning(&frames, 2));
    assert_eq!(record.first_answer_ms(), None);
}

#[test]
fn what_was_never_sent_has_no_figures() {
    let mut wire = wire(Framing::Whole);
    wire.sent = None;
    let record = RequestRecord::new(key(), 0, wire, Meaning::default());
    assert_eq!(record.latency_ms, None);
    assert_eq!(record.latency_from_due_ms(), None);
    assert_eq!(record.dispatch_lag_ms, None);
}
