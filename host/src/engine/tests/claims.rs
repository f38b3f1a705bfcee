//! What the engine promises.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;

#[test]
fn what_the_transport_says_of_its_connections_and_stamps_is_kept() {
    let ran = Stage { warmup: 1, number: 2, ..Stage::default() }.run();
    assert_eq!(ran.records.len(), 3);
    assert!(ran.records.iter().all(|record| record.stale_connections == 3));
    let lag = ran.end.health.stamp_lag.unwrap();
    assert!((0.0089..0.0091).contains(&lag.max_ms) && (0.0069..0.0071).contains(&lag.p50_ms), "{lag:?}");
}

#[test]
fn a_closed_loop_makes_every_request_and_never_more_at_a_time_than_asked() {
    let ran = Stage { parallel: 5, number: 42, warmup: 3, workers: 3, ..Stage::default() }.run();
    assert_eq!(ran.records.len(), 45);
    assert_eq!(ran.records.iter().filter(|record| record.key.warmup).count(), 3);
    assert_eq!(ran.most_in_flight, 5);
    assert_eq!((ran.end.settled, ran.end.reason), (42, StopReason::Count));
    let mut ids: Vec<&str> = ran.records.iter().map(|record| record.key.request_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 45, "request ids are unique");
    let workers: std::collections::HashSet<u32> = ran.records.iter().map(|record| record.worker).collect();
    assert_eq!(workers.len(), 3, "all workers take part");
}

#[test]
fn the_warmup_is_over_before_the_measurement_begins() {
    let ran = Stage { parallel: 4, number: 8, warmup: 6, ..Stage::default() }.run();
    let (warm, measured): (Vec<_>, Vec<_>) = ran.records.iter().partition(|record| record.key.warmup);
    let warm_end = warm.iter().map(|record| record.closed).max().unwrap();
    assert!(measured.iter().all(|record| record.sent.unwrap() >= warm_end));
}

/// Else requests would be due before the measurement began, and all at once when it does.
#[test]
fn due_times_count_from_the_end_of_the_warmup() {
    let stage = Stage { open_loop: true, warmup: 10, number: 10, rate: Some(200.0), ..Stage::default() };
    let ran = stage.run();
    let (warm, measured): (Vec<_>, Vec<_>) = ran.records.iter().partition(|record| record.key.warmup);
    let warm_end = warm.iter().map(|record| record.closed).max().unwrap();
    assert!(measured.iter().all(|record| record.due >= warm_end));
}

#[test]
fn a_turn_that_cannot_be_shaped_is_a_failed_record_and_nothing_more() {
    let api = Bytewise { refuses: Some("question 3."), ..Bytewise::default() };
    let ran = Stage { api, number: 6, ..Stage::default() }.run();
    let failed: Vec<_> = ran.records.iter().filter(|record| !record.ok()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].failure.as_ref().unwrap().kind, FailureKind::Shape);
    assert_eq!(failed[0].failure.as_ref().unwrap().message, "number 3 is not asked; leave it out");
    assert_eq!(failed[0].sent, None);
    assert_eq!((ran.end.settled, ran.end.succeeded), (6, 5));
    assert_eq!(ran.bodies.len(), 5);
}

#[test]
fn a_dataset_that_breaks_ends_the_stage_and_loses_no_record() {
    let dataset = Numbers { breaks_after: 2, ..Numbers::of_turns(1) };
    let ran = Stage { dataset, number: 50, ..Stage::default() }.run();
    assert_eq!(ran.end.reason, StopReason::Failed);
    assert_eq!(ran.failed.unwrap().to_string(), "line 7 is broken; mend it");
    assert_eq!(ran.records.len() as u64, ran.end.settled);
}

#[test]
fn workers_that_cannot_begin_end_the_stage_and_leave_nobody_waiting() {
    let ran = Stage { transport_fails: true, parallel: 4, number: 100, warmup: 5, ..Stage::default() }.run();
    assert_eq!(ran.failed.unwrap().to_string(), "no certificates");
    assert_eq!((ran.end.reason, ran.records.len()), (StopReason::Failed, 0));
}

#[test]
fn a_conversation_keeps_its_slot_and_sees_the_servers_replies() {
    let ran = Stage { dataset: Numbers::of_turns(3), number: 2, ..Stage::default() }.run();
    assert_eq!(ran.records.len(), 6);
    let turns: Vec<(u32, u32)> =
        ran.records.iter().map(|record| (record.key.turn, record.key.input_turns)).collect();
    assert_eq!(turns, [(0, 1), (1, 2), (2, 3), (0, 1), (1, 2), (2, 3)]);
    let third = &ran.bodies[2];
    for said in ["question 0.0", "assistant: [Text(\"ab\")]", "question 0.1", "question 0.2"] {
        assert!(third.contains(said), "{said} is not in {third}");
    }
    assert!(ran.records.iter().all(|record| record.labels == [("made".to_string(), "up".to_string())]));
}

#[test]
fn paced_requests_are_due_when_the_schedule_says_and_never_sent_before() {
    let ran = Stage { parallel: 50, number: 40, rate: Some(400.0), ..Stage::default() }.run();
    let mut schedule = Schedule::new(&poisson(400.0), 8);
    let expected: Vec<Nanos> = (0..40).map(|_| schedule.next_due().unwrap()).collect();
    let mut due: Vec<Nanos> =
        ran.records.iter().map(|record| record.due - Nanos(ran.end.started_ns)).collect();
    due.sort_unstable();
    assert_eq!(due, expected);
    assert!(ran.records.iter().all(|record| record.sent.unwrap() >= record.due));
}

#[test]
fn open_loop_arrivals_do_not_wait_for_answers() {
    let takes = Duration::from_millis(300);
    let ran =
        Stage { open_loop: true, number: 60, takes, rate: Some(1000.0), workers: 3, ..Stage::default() }
            .run();
    assert_eq!(ran.records.len(), 60);
    assert!(ran.most_in_flight > 30, "{} in flight", ran.most_in_flight);
    let mut schedule = Schedule::new(&poisson(1000.0), 8);
    let expected: Vec<Nanos> = (0..60).map(|_| schedule.next_due().unwrap()).collect();
    let mut due: Vec<Nanos> =
        ran.records.iter().map(|record| record.due - Nanos(ran.end.started_ns)).collect();
    due.sort_unstable();
    assert_eq!(due, expected, "the schedule is one, however many workers take part in it");
}

#[test]
fn beyond_max_concurrency_a_due_request_is_a_record_of_one_that_was_not_sent() {
    let takes = Duration::from_secs(2);
    let stage = Stage {
        open_loop: true,
        number: 20,
        takes,
        rate: Some(2000.0),
        max_concurrency: Some(4),
        ..Stage::default()
    };
    let ran = stage.run();
    assert_eq!(ran.most_in_flight, 4);
    let shed: Vec<_> = ran.records.iter().filter(|record| !record.ok()).collect();
    assert_eq!(shed.len(), 16);
    assert!(shed.iter().all(|record| record.failure.as_ref().unwrap().kind == FailureKind::Shed));
    assert!(shed.iter().all(|record| record.sent.is_none()));
}

#[test]
fn a_request_that_is_given_up_is_recorded_as_cancelled() {
    let cancel = Some(CancelSpec { rate: 1.0, after: Duration::from_millis(20) });
    let ran = Stage { number: 2, takes: Duration::from_secs(60), cancel, ..Stage::default() }.run();
    for record in &ran.records {
        let failure = record.failure.as_ref().unwrap();
        assert_eq!(failure.kind, FailureKind::Cancelled);
        assert_eq!(failure.message, "given up after 20 ms, as --cancel-rate asks");
        assert!(record.latency_ms.unwrap() >= 20.0);
    }
    let ran =
        Stage { number: 4, cancel: cancel.map(|c| CancelSpec { rate: 0.0, ..c }), ..Stage::default() }.run();
    assert!(ran.records.iter().all(RequestRecord::ok));
}

#[test]
fn after_its_duration_a_stage_starts_nothing_and_finishes_what_is_in_flight() {
    let takes = Duration::from_millis(40);
    let ran =
        Stage { number: 1000, takes, duration: Some(Duration::from_millis(100)), ..Stage::default() }.run();
    assert_eq!(ran.end.reason, StopReason::Duration);
    assert!((1..=3).contains(&ran.end.settled), "{} requests", ran.end.settled);
    assert!(ran.records.iter().all(RequestRecord::ok));
}

#[test]
fn after_its_duration_a_stage_tries_nothing_again() {
    let refused = |refuses_for| {
        Stage {
            number: 1,
            retries: 1,
            refuses_for: Some(refuses_for),
            duration: Some(Duration::from_secs(1)),
            ..Stage::default()
        }
        .run()
    };
    let begun = Instant::now();
    assert_eq!(refused(Duration::from_secs(60)).records.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(30), "it does not wait for what it will not send");
    assert_eq!(refused(Duration::from_millis(1)).records.len(), 2);
}

/// A refused request that waits for the moment at which it may come again is not in flight.
#[test]
fn requests_that_wait_to_be_tried_again_take_no_place_of_those_in_flight() {
    let ran = Stage {
        number: 30,
        rate: Some(100.0),
        open_loop: true,
        workers: 1,
        takes: Duration::ZERO,
        max_concurrency: Some(10),
        retries: 1,
        refuses_for: Some(Duration::from_millis(400)),
        ..Stage::default()
    }
    .run();
    let shed = ran
        .records
        .iter()
        .filter(|record| record.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Shed));
    assert_eq!((shed.count(), ran.records.len()), (0, 60));
}

#[test]
fn a_request_that_is_to_be_tried_again_and_finds_no_place_is_shed() {
    let ran = Stage {
        number: 60,
        rate: Some(100.0),
        open_loop: true,
        workers: 1,
        takes: Duration::from_millis(30),
        max_concurrency: Some(1),
        retries: 2,
        refuses_for: Some(Duration::from_millis(20)),
        ..Stage::default()
    }
    .run();
    assert_eq!(ran.most_in_flight, 1);
    let shed = |record: &&RequestRecord| {
        record.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Shed)
    };
    let again: Vec<_> = ran.records.iter().filter(shed).filter(|record| record.key.attempt > 1).collect();
    assert!(!again.is_empty());
    for record in again {
        let others = ran.records.iter().filter(|other| other.key.request_id == record.key.request_id);
        assert_eq!(others.map(|other| other.key.attempt).max(), Some(record.key.attempt));
    }
}

#[test]
fn draining_finishes_what_is_in_flight_and_aborting_gives_it_up() {
    for presses in [1, 2] {
        let (switch, stop) = StopSwitch::new();
        let (shadow, _) = StopSwitch::new();
        let pressing = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            for _ in 0..presses {
                switch.press();
            }
            switch
        });
        let takes = Duration::from_millis(if presses == 1 { 200 } else { 60_000 });
        let ran = Stage { number: 10, takes, switch: Some((shadow, stop)), ..Stage::default() }.run();
        drop(pressing.join().unwrap());
        assert_eq!(ran.records.len(), 1);
        let reason = if presses == 1 { StopReason::Interrupted } else { StopReason::Aborted };
        assert_eq!(ran.end.reason, reason);
        assert_eq!(ran.records[0].ok(), presses == 1);
    }
}

/// The time that parsing takes is nobody's latency, and the stamps are those of the transport.
#[test]
fn a_slow_parser_does_not_move_a_timestamp() {
    let api = Bytewise { parse_takes: Duration::from_millis(50), ..Bytewise::default() };
    let ran = Stage { api, parallel: 4, number: 8, ..Stage::default() }.run();
    for record in &ran.records {
        assert_eq!(record.first_token, record.last_token);
        assert_eq!(record.completed, record.closed);
        assert!(record.latency_ms.unwrap() < 50.0, "{:?}", record.latency_ms);
    }
}

/// Outputs that take 20 ms for each record, as a slow disk or a slow terminal does.
#[test]
fn a_slow_output_does_not_move_a_timestamp() {
    let slow = Duration::from_millis(20);
    let ran = Stage { parallel: 4, number: 12, outputs_take: slow, ..Stage::default() }.run();
    assert_eq!(ran.records.len(), 12);
    let mut latencies: Vec<f64> = ran.records.iter().map(|record| record.latency_ms.unwrap()).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    assert!(latencies[6] < 20.0, "the median latency is the server's 5 ms: {latencies:?}");
}

/// A dataset that is slower than the server: the run says so, and the latency does not.
#[test]
fn a_slow_dataset_starves_the_run_and_is_told() {
    struct Slow(AtomicU64);
    impl Dataset for Slow {
        fn name(&self) -> &str {
            "slow"
        }
        fn next(&mut self, _: usize) -> Result<Vec<Conversation>, PartError> {
            std::thread::sleep(Duration::from_millis(30));
            let number = self.0.fetch_add(10, Ordering::SeqCst);
            Ok(vec![Conversation::from(Prompt::Text(format!("{number}")))])
        }
        fn rewind(&mut self) -> Result<(), PartError> {
            Ok(())
        }
    }
    let mut dataset = Slow(AtomicU64::new(100));
    let (queue, events) = sync_channel(1000);
    let clock = Clock::start();
    let transport = move || -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(Echo {
            clock,
            takes: Duration::ZERO,
            refuses_for: None,
            in_flight: Arc::default(),
            most: Arc::default(),
            bodies: Arc::default(),
        }))
    };
    let header = StageHeader {
        index: 0,
        name: "s".into(),
        parallel: Some(1),
        rate_rps: None,
        number: 40,
        warmup: 0,
        goodput: Vec::new(),
        conversations: false,
        folder: "nowhere".into(),
    };
    let spec = StageSpec {
        run_id: "run".into(),
        model: "model".into(),
        header: Arc::new(header),
        arrivals: ArrivalSpec::Unpaced,
        max_concurrency: None,
        retries: 0,
        cancel: None,
        targets: Arc::new([]),
        duration: None,
        seed: 7,
        workers: 1,
        settlers: 1,
        keep_texts: false,
        keep_replies: false,
    };
    let parts = Parts {
        dataset: &mut dataset,
        api: Arc::new(Bytewise::default()),
        counter: None,
        transport: &transport,
        events: EventSender::new(queue),
        clock,
        activity: Arc::default(),
        next_id: &mut 0,
        secrets: Arc::default(),
    };
    let (_switch, stop) = StopSwitch::new();
    let (end, failed) = run_stage(parts, &spec, &stop);
    assert!(failed.is_none());
    assert!(end.health.starved >= 20, "{:?}", end.health);
    assert!(end.health.client_limited);
    assert!(end.health.verdict.contains("not ready when they were due"), "{}", end.health.verdict);
    let records = records(&events);
    assert_eq!(records.len(), 40);
}

/// A reply that the next request waits for is not parsed by a thread that has only what others leave.
#[test]
fn replies_are_parsed_when_nobody_reads_unless_somebody_waits_for_them() {
    let lowest = 19;
    let share = (priority::nice() + 5).min(lowest);
    let parsed_at = |stage: Stage| {
        let seen = stage.api.parsed_at.clone();
        stage.run();
        seen.lock().unwrap().clone()
    };
    let alone = parsed_at(Stage::default());
    assert!(alone.len() == 3 && alone.iter().all(|&nice| nice == lowest), "{alone:?}");
    let retried = parsed_at(Stage { retries: 1, ..Stage::default() });
    assert!(retried.len() == 3 && retried.iter().all(|&nice| nice == share), "{retried:?}");
}
