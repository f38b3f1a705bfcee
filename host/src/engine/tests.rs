//! The engine on a fake server and a fake dataset: what it sends when, and what it makes of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;

use super::schedule::{RateProfile, Spacing};
use super::*;
use crate::contract::{
    AbortSignal, Conversation, Ending, ExchangeFuture, FailureKind, Framing, HttpRequest, Mark, Message,
    Outcome, OutputFrame, OutputKind, Prompt, Reply, Timeline, Turn, TurnInContext, Usage,
};
use crate::record::RequestRecord;

/// A dataset of numbered prompts, each a conversation of some turns.
struct Numbers {
    made: u64,
    turns: usize,
    /// It fails when it is asked for more than this.
    breaks_after: u64,
}

impl Numbers {
    fn of_turns(turns: usize) -> Numbers {
        Numbers { made: 0, turns, breaks_after: u64::MAX }
    }
}

impl Dataset for Numbers {
    fn name(&self) -> &str {
        "numbers"
    }
    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let mut out = Vec::new();
        while out.len() < at_most {
            if self.made >= self.breaks_after {
                return Err(PartError::InvalidData("line 7 is broken; mend it".into()));
            }
            let turn = |index| Turn::from(Prompt::Text(format!("question {}.{index}", self.made)));
            let turns = (0..self.turns).map(turn).collect();
            out.push(Conversation {
                id: None,
                turns,
                arrival_ms: None,
                labels: vec![("made".into(), "up".into())],
            });
            self.made += 1;
        }
        Ok(out)
    }
    fn rewind(&mut self) -> Result<(), PartError> {
        self.made = 0;
        Ok(())
    }
}

/// Says in each request what was asked, and takes each byte of a reply for a token.
#[derive(Default)]
struct Bytewise {
    parse_takes: Duration,
    /// What it refuses to ask.
    refuses: Option<&'static str>,
}

impl Api for Bytewise {
    fn name(&self) -> &str {
        "bytewise"
    }
    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let said: Vec<String> = turn
            .history
            .iter()
            .chain(&[Message::text("user", format!("{:?}", turn.turn.prompt))])
            .map(|message| format!("{}: {:?}", message.role, message.content))
            .collect();
        if self.refuses.is_some_and(|refused| said.iter().any(|said| said.contains(refused))) {
            return Err(PartError::Unsupported("number 3 is not asked; leave it out".into()));
        }
        Ok(HttpRequest {
            method: "POST".into(),
            url: "http://nowhere".into(),
            headers: Vec::new(),
            body: Bytes::from(said.join("\n")),
            framing: Framing::Raw,
        })
    }
    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        std::thread::sleep(self.parse_takes);
        let output = |frame| OutputFrame { frame, kind: OutputKind::Content, text_bytes: 1, tokens: Some(1) };
        Ok(Outcome {
            outputs: (0..reply.frames.len() as u32).map(output).collect(),
            text: String::from_utf8_lossy(reply.payload).into_owned(),
            usage: Usage { output_tokens: Some(reply.payload.len() as u64), ..Usage::default() },
            ..Outcome::default()
        })
    }
}

/// Answers "ab" after a while, unless it is told to stop.
struct Echo {
    clock: Clock,
    takes: Duration,
    in_flight: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Transport for Echo {
    fn exchange<'a>(&'a self, request: HttpRequest, mut abort: AbortSignal) -> ExchangeFuture<'a> {
        Box::pin(async move {
            let sent = self.clock.now();
            self.bodies.lock().unwrap().push(String::from_utf8(request.body.to_vec()).unwrap());
            self.most.fetch_max(self.in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let ending = tokio::select! {
                () = tokio::time::sleep(self.takes) => Ending::Complete,
                _ = abort.wait_for(|&abort| abort) => {
                    Ending::Failed(crate::contract::Failure::new(FailureKind::Interrupted, "stopped"))
                }
            };
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let at = self.clock.now();
            Timeline {
                sent: Some(sent),
                first_byte: Some(at),
                completed: at,
                status: Some(200),
                content_type: None,
                framing: request.framing,
                body: b"ab".to_vec(),
                marks: vec![Mark { at, end: 1 }, Mark { at, end: 2 }],
                connection_reused: None,
                ending,
            }
        })
    }
}

/// A stage and everything it is given.
struct Stage {
    dataset: Numbers,
    api: Bytewise,
    takes: Duration,
    parallel: u32,
    number: u64,
    warmup: u64,
    workers: u32,
    rate: Option<f64>,
    open_loop: bool,
    max_concurrency: Option<u32>,
    retries: u32,
    cancel: Option<CancelSpec>,
    outputs_take: Duration,
    transport_fails: bool,
    duration: Option<Duration>,
    switch: Option<(StopSwitch, StopSignal)>,
}

impl Default for Stage {
    fn default() -> Stage {
        Stage {
            dataset: Numbers::of_turns(1),
            api: Bytewise::default(),
            takes: Duration::from_millis(5),
            parallel: 1,
            number: 3,
            warmup: 0,
            workers: 2,
            rate: None,
            open_loop: false,
            max_concurrency: None,
            retries: 0,
            cancel: None,
            outputs_take: Duration::ZERO,
            transport_fails: false,
            duration: None,
            switch: None,
        }
    }
}

fn poisson(rate_rps: f64) -> ArrivalSpec {
    ArrivalSpec::Paced { spacing: Spacing::Poisson, rate: RateProfile::constant(rate_rps) }
}

/// What came of a stage.
struct Ran {
    records: Vec<RequestRecord>,
    end: StageEnd,
    failed: Option<EngineError>,
    most_in_flight: u32,
    bodies: Vec<String>,
}

impl Stage {
    fn run(mut self) -> Ran {
        // The engine tells its events to a queue of one, so that a slow reader holds it up at once.
        let (queue, slowly) = sync_channel(1);
        let (kept, events) = sync_channel(10_000);
        let outputs_take = self.outputs_take;
        let outputs = std::thread::spawn(move || {
            for event in slowly {
                std::thread::sleep(outputs_take);
                kept.send(event).unwrap();
            }
        });
        let clock = Clock::start();
        let (in_flight, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (most_seen, bodies_seen) = (most.clone(), bodies.clone());
        let takes = self.takes;
        let fails = self.transport_fails;
        let transport = move || -> Result<Box<dyn Transport>, String> {
            if fails {
                return Err("no certificates".into());
            }
            Ok(Box::new(Echo {
                clock,
                takes,
                in_flight: in_flight.clone(),
                most: most.clone(),
                bodies: bodies.clone(),
            }))
        };
        let header = StageHeader {
            index: 0,
            name: "parallel_1_number_3".into(),
            parallel: (!self.open_loop).then_some(self.parallel),
            rate_rps: self.rate,
            number: self.number,
            warmup: self.warmup,
            goodput: Vec::new(),
            folder: "nowhere".into(),
        };
        let spec = StageSpec {
            run_id: "run".into(),
            model: "model".into(),
            header: Arc::new(header),
            arrivals: self.rate.map_or(ArrivalSpec::Unpaced, poisson),
            max_concurrency: self.max_concurrency,
            retries: self.retries,
            cancel: self.cancel,
            targets: Arc::new([]),
            duration: self.duration,
            seed: 7,
            workers: self.workers,
            settlers: 2,
            keep_texts: true,
        };
        let mut next_id = 0;
        let parts = Parts {
            dataset: &mut self.dataset,
            api: Arc::new(self.api),
            counter: None,
            transport: &transport,
            events: EventSender::new(queue),
            clock,
            next_id: &mut next_id,
            secrets: Arc::new(Vec::new()),
        };
        let (_kept, stop) = self.switch.unwrap_or_else(StopSwitch::new);
        let (end, failed) = run_stage(parts, &spec, &stop);
        outputs.join().unwrap();
        let bodies = bodies_seen.lock().unwrap().clone();
        Ran {
            records: records(&events),
            end,
            failed,
            most_in_flight: most_seen.load(Ordering::SeqCst),
            bodies,
        }
    }
}

fn records(events: &Receiver<Event>) -> Vec<RequestRecord> {
    let mut told: VecDeque<Event> = events.try_iter().collect();
    assert!(matches!(told.pop_front(), Some(Event::StageStarted(_))));
    assert!(matches!(told.pop_back(), Some(Event::StageFinished(..))));
    told.into_iter()
        .map(|event| match event {
            Event::RequestSettled(record) => *record,
            other => panic!("unexpected {other:?}"),
        })
        .collect()
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
    };
    let parts = Parts {
        dataset: &mut dataset,
        api: Arc::new(Bytewise::default()),
        counter: None,
        transport: &transport,
        events: EventSender::new(queue),
        clock,
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
