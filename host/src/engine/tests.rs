//! The engine on a fake server and a fake dataset: what it sends when, and what it makes of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;

use super::schedule::{RateProfile, Spacing};
use super::*;
use crate::contract::{
    AbortSignal, Conversation, Ending, ExchangeFuture, FailureKind, Framing, HttpRequest, Mark, Message,
    Outcome, OutputFrame, OutputKind, Prompt, Reply, Timeline, Turn, TurnInContext, Usage,
};
use crate::record::RequestRecord;

mod claims;

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
    /// The niceness of the threads on which it parsed.
    parsed_at: Arc<Mutex<Vec<i32>>>,
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
        self.parsed_at.lock().unwrap().push(priority::nice());
        let output = |frame| OutputFrame { frame, kind: OutputKind::Content, text_bytes: 1, tokens: Some(1) };
        Ok(Outcome {
            outputs: (0..reply.frames.len() as u32).map(output).collect(),
            text: String::from_utf8_lossy(reply.payload).into_owned(),
            usage: Usage { output_tokens: Some(reply.payload.len() as u64), ..Usage::default() },
            ..Outcome::default()
        })
    }
}

/// Answers "ab" after a while, or refuses, unless it is told to stop.
struct Echo {
    clock: Clock,
    takes: Duration,
    /// If it refuses: how long it asks to be left alone.
    refuses_for: Option<Duration>,
    in_flight: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Transport for Echo {
    fn exchange<'a>(&'a self, request: &'a HttpRequest, mut abort: AbortSignal) -> ExchangeFuture<'a> {
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
                status: Some(if self.refuses_for.is_some() { 503 } else { 200 }),
                content_type: None,
                retry_after: self.refuses_for,
                framing: request.framing,
                body: b"ab"[..].into(),
                marks: [Mark { at, end: 1 }, Mark { at, end: 2 }][..].into(),
                connection_reused: None,
                stale_connections: 3,
                stamp_lags_ns: vec![7_000, 9_000],
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
    /// If every request is refused: how long the server asks to be left alone.
    refuses_for: Option<Duration>,
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
            refuses_for: None,
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
        let (takes, refuses_for) = (self.takes, self.refuses_for);
        let fails = self.transport_fails;
        let transport = move || -> Result<Box<dyn Transport>, String> {
            if fails {
                return Err("no certificates".into());
            }
            Ok(Box::new(Echo {
                clock,
                takes,
                refuses_for,
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
            conversations: false,
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
            keep_replies: false,
        };
        let mut next_id = 0;
        let parts = Parts {
            dataset: &mut self.dataset,
            api: Arc::new(self.api),
            counter: None,
            transport: &transport,
            events: EventSender::new(queue),
            clock,
            activity: Arc::default(),
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
