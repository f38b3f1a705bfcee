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
            url: if self.url.is_empty() { "http://localhost/".into() } else { self.url.clone() },
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
        Ok((0..many).map(|i| Conversation::ask(format!("question {i}"))).collect())
    }
}

export_plugin!(api: Misbehave, dataset: Misbehave);
