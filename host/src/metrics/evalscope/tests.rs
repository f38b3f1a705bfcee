use super::*;
use crate::contract::{Failure, FailureKind, Framing};
use crate::record::{CachedSource, Meaning, RequestKey, TokenCounts, TokenFrame, Wire};

fn stage() -> StageHeader {
    StageHeader {
        index: 0,
        name: "parallel_1_number_4".into(),
        parallel: Some(1),
        rate_rps: None,
        number: 4,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: std::env::temp_dir(),
    }
}

/// A request sent at 0; moments in seconds.
struct Given<'a> {
    outputs: &'a [f64],
    choices: &'a [f64],
    events: &'a [f64],
    closed: f64,
    tokens: (u64, u64),
    failure: Option<FailureKind>,
}

const NOTHING: Given<'_> =
    Given { outputs: &[], choices: &[], events: &[], closed: 1.0, tokens: (0, 0), failure: None };

fn record(given: &Given<'_>) -> RequestRecord {
    let key = RequestKey {
        run_id: "r".into(),
        stage: "s".into(),
        request_id: "r-0".into(),
        attempt: 1,
        conversation_id: "0".into(),
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: "openai".into(),
        dataset: "d".into(),
        model: "m".into(),
        warmup: false,
    };
    let streamed = !(given.outputs.is_empty() && given.choices.is_empty() && given.events.is_empty());
    let wire = Wire {
        due: Nanos::ZERO,
        sent: Some(Nanos::ZERO),
        first_byte: None,
        closed: Nanos::from_s(given.closed),
        framing: if streamed { Framing::Sse } else { Framing::Whole },
        frames: 0,
        bytes_in: 0,
        bytes_out: 0,
        connection_reused: None,
        stale_connections: 0,
        status: Some(200),
    };
    let moments = |seconds: &[f64]| seconds.iter().map(|&at| Nanos::from_s(at)).collect::<Vec<_>>();
    let frame = |at| TokenFrame { at, tokens: None, answer: true };
    let meaning = Meaning {
        token_frames: moments(given.outputs).into_iter().map(frame).collect(),
        bare_choices: moments(given.choices),
        bare_events: moments(given.events),
        tokens: TokenCounts {
            input: Some(given.tokens.0),
            output: Some(given.tokens.1),
            ..TokenCounts::default()
        },
        failure: given.failure.map(|kind| Failure::new(kind, "no")),
        ..Meaning::default()
    };
    RequestRecord::new(key, 0, wire, meaning)
}

fn summary(records: &[RequestRecord]) -> EvalscopeSummary {
    let mut accumulator = EvalscopeAccumulator::new(&stage());
    records.iter().for_each(|record| accumulator.push(record));
    accumulator.finish(&stage()).unwrap()
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{got} and not {expected}");
}

/// A role at 0.1, "A" and "B", a finish reason with "B", the usage at 0.21, the end at 0.211.
#[test]
fn the_worked_example_has_both_tools_values() {
    let given = Given {
        outputs: &[0.15, 0.2],
        choices: &[0.1, 0.2],
        events: &[0.21],
        closed: 0.211,
        tokens: (5, 2),
        ..NOTHING
    };
    let record = record(&given);
    let theirs = EvalscopeFigures::of(&record).unwrap();
    close(theirs.ttft_s, 0.1);
    assert_eq!(theirs.itl_s.len(), 3);
    [0.05, 0.05, 0.0].into_iter().zip(&theirs.itl_s).for_each(|(expected, &gap)| close(gap, expected));
    close(theirs.latency_s, 0.21);
    close(theirs.tpot_s, 0.11);
    assert_eq!(theirs.decoded_tokens_per_iter(), None, "a third is below one");

    close(record.ttft_ms.unwrap(), 150.0);
    assert_eq!(record.itl_ms.len(), 1);
    close(record.itl_ms[0], 50.0);
    close(record.latency_ms.unwrap(), 200.0);
    close(record.tpot_ms.unwrap(), 50.0);
    assert_eq!(record.decoded_tokens_per_iter(), Some(1.0));

    let summary = summary(&[record]);
    for (name, expected) in [
        ("Avg TTFT (ms)", 100.0),
        ("Avg TPOT (ms)", 110.0),
        ("Avg ITL (ms)", 33.33),
        ("Avg Latency (s)", 0.21),
        ("Test Duration (s)", 0.21),
        ("Output Throughput (tok/s)", 9.5238),
    ] {
        assert_eq!(summary.figure(name), Some(expected), "{name}");
    }
}

/// A Responses stream: created, "A", an item, "B", completed. The gap counts from the event before it.
#[test]
fn an_interval_begins_with_the_message_before_it_whatever_that_was() {
    let given =
        Given { outputs: &[0.1, 0.15], events: &[0.05, 0.14, 0.16], closed: 0.16, tokens: (5, 2), ..NOTHING };
    let theirs = EvalscopeFigures::of(&record(&given)).unwrap();
    close(theirs.ttft_s, 0.1);
    assert_eq!(theirs.itl_s.len(), 1);
    close(theirs.itl_s[0], 0.01);
    close(theirs.latency_s, 0.16);
}

#[test]
fn an_error_in_a_stream_and_a_stream_of_nothing_are_successes_there() {
    let broken = Given {
        outputs: &[0.1, 0.2],
        events: &[0.3],
        tokens: (5, 2),
        failure: Some(FailureKind::StreamError),
        ..NOTHING
    };
    let empty = Given { failure: Some(FailureKind::EmptyReply), events: &[0.0], ..NOTHING };
    let refused = Given { failure: Some(FailureKind::HttpStatus), ..NOTHING };
    let mut refused = record(&refused);
    refused.status = Some(500);
    let summary = summary(&[record(&broken), record(&empty), refused]);
    assert_eq!(summary.figure("Success Requests"), Some(2.0));
    assert_eq!(summary.figure("Failed Requests"), Some(1.0));
    assert_eq!(summary.figure("Avg TTFT (ms)"), Some(50.0), "(100 + 0) / 2");
    // The refusal took a second; its end does not count.
    assert_eq!(summary.figure("Test Duration (s)"), Some(0.3));
}

/// `test_stream_metrics.py`: two streams and two whole replies of 50 tokens each.
#[test]
fn streams_are_averaged_without_the_whole_replies() {
    let steps = |first: f64, gap: f64| (0..50).map(|step| first + gap * f64::from(step)).collect::<Vec<_>>();
    let (slow, fast) = (steps(0.3, 0.02), steps(0.4, 0.04));
    let stream = |outputs| Given { outputs, tokens: (10, 50), ..NOTHING };
    let whole = |closed| Given { closed, tokens: (10, 50), ..NOTHING };
    let records = [stream(&slow), stream(&fast), whole(1.5), whole(1.6)];
    let got = summary(&records.iter().map(record).collect::<Vec<_>>());
    assert_eq!((got.figure("Stream Requests"), got.figure("Non-Stream Requests")), (Some(2.0), Some(2.0)));
    assert_eq!((got.figure("Avg TTFT (ms)"), got.figure("Avg ITL (ms)")), (Some(350.0), Some(30.0)));
    assert_eq!(got.percentile("50%", "TTFT (ms)"), Some(400.0), "the index rule takes the upper of two");
    assert_eq!(got.percentile("min", "TPOT (ms)"), Some(20.0));

    // Their own figures, which have no frames between the first and the last.
    let stream = |outputs| Given { outputs, tokens: (10, 50), ..NOTHING };
    let records = [stream(&[0.3, 1.0]), stream(&[0.4, 1.0]), whole(1.5), whole(1.6)];
    let got = summary(&records.iter().map(record).collect::<Vec<_>>());
    assert_eq!((got.figure("Avg TPOT (ms)"), got.figure("Avg Latency (s)")), (Some(13.27), Some(1.275)));

    let only = summary(&[record(&whole(2.0))]);
    assert_eq!(
        (only.figure("Avg TTFT (ms)"), only.figure("Avg TPOT (ms)"), only.figure("Avg ITL (ms)")),
        (Some(2000.0), Some(0.0), Some(0.0))
    );
    let none = summary(&[record(&Given { failure: Some(FailureKind::ReadTimeout), ..NOTHING })]);
    assert_eq!((none.figure("Avg TTFT (ms)"), none.figure("Avg TPOT (ms)")), (Some(-1.0), Some(-1.0)));
}

/// 1 to 100 s, 1 to 10 s, and 1 to 4 s, as their code was seen to answer.
#[test]
fn a_percentile_is_the_value_at_an_index() {
    let of = |count: u32| {
        let records: Vec<_> =
            (1..=count).map(|second| record(&Given { closed: f64::from(second), ..NOTHING })).collect();
        summary(&records)
    };
    let at = |summary: &EvalscopeSummary, row: &str| summary.percentile(row, "Latency (s)").unwrap();
    let hundred = of(100);
    assert_eq!(["50%", "90%", "99%", "max"].map(|row| at(&hundred, row)), [51.0, 91.0, 100.0, 100.0]);
    let ten = of(10);
    assert_eq!(["min", "50%", "99%"].map(|row| at(&ten, row)), [1.0, 6.0, 10.0]);
    assert_eq!(at(&of(4), "50%"), 3.0);
}

#[test]
fn cached_tokens_make_their_hit_rate() {
    let mut record = record(&Given { tokens: (152, 10), ..NOTHING });
    (record.tokens.cached, record.tokens.cached_source) = (Some(128), Some(CachedSource::Server));
    assert_eq!(summary(&[record]).figure("KV Cache Hit Rate (%)"), Some(84.2105));
}

#[test]
fn rounding_is_that_of_python() {
    assert_eq!((round(0.125, 2), round(2.675, 2), round(0.375, 2)), (0.12, 2.67, 0.38));
}

/// The keys of its file, in its order: those that are always there, and those of conversations.
#[test]
fn the_figures_have_its_names() {
    let always = [
        "Test Duration (s)",
        "Concurrency",
        "Request Rate (req/s)",
        "Total Requests",
        "Success Requests",
        "Failed Requests",
        "Stream Requests",
        "Non-Stream Requests",
        "Req Throughput (req/s)",
        "Avg Latency (s)",
        "Avg Input Tokens",
        "Output Throughput (tok/s)",
        "Total Throughput (tok/s)",
        "Avg TTFT (ms)",
        "Avg TPOT (ms)",
        "Avg ITL (ms)",
        "Avg Output Tokens",
        "Input Throughput (tok/s)",
    ];
    let names =
        |summary: &EvalscopeSummary| summary.figures.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let given = Given { outputs: &[0.25, 0.5], tokens: (10, 2), ..NOTHING };
    let single = summary(&[record(&given)]);
    assert_eq!(names(&single), always);
    assert_eq!(single.figure("Input Throughput (tok/s)"), Some(0.0), "it is of embeddings and ranks there");

    let stage = StageHeader { conversations: true, ..stage() };
    let mut turns = EvalscopeAccumulator::new(&stage);
    for (turn, outputs) in [(0, [0.25, 0.5]), (1, [0.5, 0.75]), (2, [0.75, 1.0])] {
        let mut record = record(&Given { outputs: &outputs, tokens: (10, 2), ..NOTHING });
        (record.key.turn, record.key.input_turns) = (turn, turn + 1);
        turns.push(&record);
    }
    let turns = turns.finish(&stage).unwrap();
    let more = ["Avg Turns/Request", "Avg First-Turn TTFT (ms)", "Avg Subsequent-Turn TTFT (ms)"];
    assert_eq!(names(&turns)[always.len()..], more);
    assert_eq!(more.map(|name| turns.figure(name).unwrap()), [2.0, 250.0, 625.0]);

    let mut embedded = record(&Given { closed: 0.5, tokens: (10, 0), ..NOTHING });
    embedded.key.api = "openai_embedding".into();
    let embedded = summary(&[embedded]);
    assert_eq!(embedded.figure("Input Throughput (tok/s)"), Some(20.0));
    assert_eq!(embedded.figure("Avg TTFT (ms)"), Some(0.0));
}
