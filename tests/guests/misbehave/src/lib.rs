//! A plugin that does each thing that a plugin must not do: `{"mode": "hang", "at": "parse"}`.
//! With `"every": 3` it does so in every third call of an instance only. Without a mode it behaves.

use serde::Deserialize;
use tickrate_guest::{
    Api, Conversation, Dataset, Framing, HttpRequest, Outcome, OutputKind, PluginError, Reply, RunConfig,
    TurnInContext, export_plugin,
};

/// What it asks a server for chats, if it is pointed at one.
const QUESTION: &[u8] = br#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":8,"stream":true}"#;

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Panics.
    Trap,
    /// Computes for ever.
    Hang,
    /// Sleeps for ever.
    Sleep,
    /// Computes for 50 ms.
    Slow,
    /// Allocates for ever.
    Bomb,
    /// Keeps a mebibyte of each call.
    Leak,
    /// Answers with very much.
    HugeOutput,
    /// Names a frame that there is not.
    BadFrames,
    /// Claims more text than there is.
    BadText,
    /// Names a header that cannot be one.
    BadHeader,
    /// Says that it cannot.
    Error,
    /// Gives a conversation without turns.
    Empty,
    /// Gives more conversations than asked for.
    Flood,
    /// Writes very many lines.
    Chatter,
    /// Calls itself for ever.
    Recursion,
    /// Answers each call in another way.
    Changing,
    /// Wants a turn to wait for a time that is no number.
    NanTime,
    /// Wants a turn to wait for less than no time.
    NegativeTime,
    /// Gives a conversation that arrives after an endless time.
    EndlessArrival,
    /// Gives a conversation that arrives before the stage begins.
    NegativeArrival,
}

/// Descends until the stack is used up; every level needs its own array.
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn descend(above: &[u64; 64]) -> u64 {
    let mut here = [above[0].wrapping_add(1); 64];
    here[1] = descend(std::hint::black_box(&here));
    std::hint::black_box(&here).iter().fold(0, |sum, one| sum ^ one)
}

#[derive(Deserialize)]
struct Misbehave {
    mode: Option<Mode>,
    #[serde(default)]
    at: String,
    #[serde(default)]
    every: u32,
    #[serde(skip)]
    calls: std::cell::Cell<u32>,
    #[serde(skip)]
    url: String,
    #[serde(skip)]
    kept: std::cell::RefCell<Vec<Vec<u8>>>,
}

impl Misbehave {
    fn new(config: &RunConfig) -> Result<Misbehave, PluginError> {
        let mut plugin: Misbehave =
            serde_json::from_str(&config.options).map_err(|e| PluginError::InvalidConfig(e.to_string()))?;
        plugin.url = config.url.clone();
        plugin.act("open")?;
        Ok(plugin)
    }

    /// The mode, if it is for this function and this call.
    fn mode(&self, function: &str) -> Option<Mode> {
        let due = self.every < 2 || self.calls.get() % self.every == 0;
        self.mode.filter(|_| due && self.at == function)
    }

    /// What can be done wrong in any function.
    fn act(&self, function: &str) -> Result<(), PluginError> {
        if self.at == function {
            self.calls.set(self.calls.get() + 1);
        }
        match self.mode(function) {
            Some(Mode::Trap) => panic!("told to"),
            Some(Mode::Hang) => loop {
                std::hint::black_box(());
            },
            Some(Mode::Sleep) => loop {
                #[cfg(not(target_os = "unknown"))]
                std::thread::sleep(std::time::Duration::from_secs(3600));
                std::hint::black_box(());
            },
            Some(Mode::Slow) => {
                compute_for_50_ms();
                Ok(())
            }
            Some(Mode::Bomb) => {
                let mut kept = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            Some(Mode::Leak) => {
                self.kept.borrow_mut().push(vec![1; 1 << 20]);
                Ok(())
            }
            Some(Mode::Chatter) => {
                for i in 0..5_000 {
                    tickrate_guest::host::log(tickrate_guest::host::Level::Info, &format!("line {i}"));
                }
                Ok(())
            }
            Some(Mode::Recursion) => {
                std::hint::black_box(descend(&[0; 64]));
                Ok(())
            }
            Some(Mode::Error) => Err(PluginError::InvalidData("told to\nand more".into())),
            _ => Ok(()),
        }
    }
}

#[cfg(not(target_os = "unknown"))]
fn compute_for_50_ms() {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(50) {
        std::hint::black_box(());
    }
}

/// There is no clock; as much work as takes about as long.
#[cfg(target_os = "unknown")]
fn compute_for_50_ms() {
    for step in 0..50_000_000_u32 {
        std::hint::black_box(step);
    }
}

impl Api for Misbehave {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Misbehave::new(&config)
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        self.act("shape")?;
        let mode = self.mode("shape");
        let header = if mode == Some(Mode::BadHeader) { "not a header" } else { "X-Test" };
        Ok(HttpRequest {
            method: "POST".into(),
            url: if mode == Some(Mode::Changing) {
                format!("http://localhost/{}", self.calls.get())
            } else if self.url.is_empty() {
                "http://localhost/".into()
            } else {
                self.url.clone()
            },
            headers: vec![(header.into(), turn.request_id)],
            body: if mode == Some(Mode::HugeOutput) { vec![0; 100 << 20] } else { QUESTION.to_vec() },
            framing: Framing::Sse,
        })
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        self.act("parse")?;
        let mut outcome = Outcome::default();
        for index in 0..reply.frames.len() {
            outcome.push(index, OutputKind::Content, "word ");
        }
        match self.mode("parse") {
            Some(Mode::BadFrames) => outcome.push(reply.frames.len(), OutputKind::Content, "more"),
            Some(Mode::BadText) => outcome.text.clear(),
            Some(Mode::Changing) => outcome.labels.push(("call".into(), self.calls.get().to_string())),
            Some(Mode::HugeOutput) => outcome.push(0, OutputKind::Content, &"x".repeat(100 << 20)),
            _ => {}
        }
        Ok(outcome)
    }
}

impl Dataset for Misbehave {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Misbehave::new(&config)
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        self.act("next")?;
        let many = match self.mode("next") {
            Some(Mode::Flood) => at_most + 1,
            Some(Mode::Empty) => return Ok(vec![Vec::new().into()]),
            Some(Mode::HugeOutput) => return Ok(vec![Conversation::ask("x".repeat(100 << 20))]),
            _ => at_most,
        };
        let first = if self.mode("next") == Some(Mode::Changing) { 1_000 * self.calls.get() } else { 0 };
        let mut batch: Vec<Conversation> =
            (first..first + many).map(|i| Conversation::ask(format!("question {i}"))).collect();
        let mode = self.mode("next");
        for conversation in &mut batch {
            match mode {
                Some(Mode::NanTime) => conversation.turns[0].think_time_ms = Some(f64::NAN),
                Some(Mode::NegativeTime) => conversation.turns[0].think_time_ms = Some(-1.0),
                Some(Mode::EndlessArrival) => conversation.arrival_ms = Some(f64::INFINITY),
                Some(Mode::NegativeArrival) => conversation.arrival_ms = Some(-0.5),
                _ => {}
            }
        }
        Ok(batch)
    }
}

export_plugin!(api: Misbehave, dataset: Misbehave);
