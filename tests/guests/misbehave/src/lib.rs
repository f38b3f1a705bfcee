//! A plugin that does what a plugin must not do, each misdeed a file of that name:
//! `{"do": "never_returns", "at": "parse"}`. With `"every": 3` it does so in every third call of an
//! instance only, and `"how"` chooses among the ways of a misdeed. Without options it behaves.

mod changing_answers;
mod computes_for_a_while;
mod conversations_without_turns;
mod deep_recursion;
mod endless_conversations;
mod error_of_many_lines;
mod frame_out_of_range;
mod giant_lists;
mod giant_strings;
mod header_that_is_none;
mod log_flood;
mod memory_growth;
mod misdeed;
mod never_returns;
mod opens_sockets;
mod reads_clocks;
mod reads_environment;
mod reads_files;
mod slow_leak;
mod text_that_is_not_there;
mod times_that_are_none;
mod trap_at_nth_call;

use std::cell::Cell;

use serde::Deserialize;
use tickrate_guest::{
    Api, Conversation, Dataset, Framing, HttpRequest, Outcome, OutputKind, PluginError, Reply, RunConfig,
    TurnInContext, export_plugin,
};

use misdeed::{Call, Misdeed};

/// What it asks a server for chats, if it is pointed at one.
const QUESTION: &[u8] = br#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":8,"stream":true}"#;

/// The misdeeds by the names of their files.
fn misdeed(name: &str) -> Option<Box<dyn Misdeed>> {
    Some(match name {
        "changing_answers" => Box::new(changing_answers::ChangingAnswers),
        "computes_for_a_while" => Box::new(computes_for_a_while::ComputesForAWhile),
        "conversations_without_turns" => Box::new(conversations_without_turns::ConversationsWithoutTurns),
        "deep_recursion" => Box::new(deep_recursion::DeepRecursion),
        "endless_conversations" => Box::new(endless_conversations::EndlessConversations),
        "error_of_many_lines" => Box::new(error_of_many_lines::ErrorOfManyLines),
        "frame_out_of_range" => Box::new(frame_out_of_range::FrameOutOfRange),
        "giant_lists" => Box::new(giant_lists::GiantLists),
        "giant_strings" => Box::new(giant_strings::GiantStrings),
        "header_that_is_none" => Box::new(header_that_is_none::HeaderThatIsNone),
        "log_flood" => Box::new(log_flood::LogFlood),
        "memory_growth" => Box::new(memory_growth::MemoryGrowth),
        "never_returns" => Box::new(never_returns::NeverReturns),
        "opens_sockets" => Box::new(opens_sockets::OpensSockets),
        "reads_clocks" => Box::new(reads_clocks::ReadsClocks),
        "reads_environment" => Box::new(reads_environment::ReadsEnvironment),
        "reads_files" => Box::new(reads_files::ReadsFiles),
        "slow_leak" => Box::<slow_leak::SlowLeak>::default(),
        "text_that_is_not_there" => Box::new(text_that_is_not_there::TextThatIsNotThere),
        "times_that_are_none" => Box::new(times_that_are_none::TimesThatAreNone),
        "trap_at_nth_call" => Box::new(trap_at_nth_call::TrapAtNthCall),
        _ => return None,
    })
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Options {
    /// The misdeed; none if it is empty.
    r#do: String,
    /// The function that it is done in: `open`, `shape`, `parse` or `next`.
    at: String,
    /// Every how many calls of that function, for each instance; 0 and 1 mean all.
    every: u32,
    /// Which way of doing it.
    how: String,
}

struct Misbehave {
    options: Options,
    misdeed: Option<Box<dyn Misdeed>>,
    url: String,
    calls: Cell<u32>,
}

impl Misbehave {
    fn new(config: &RunConfig) -> Result<Misbehave, PluginError> {
        let options: Options =
            serde_json::from_str(&config.options).map_err(|e| PluginError::InvalidConfig(e.to_string()))?;
        let found = misdeed(&options.r#do);
        if found.is_none() && !options.r#do.is_empty() {
            return Err(PluginError::InvalidConfig(format!("there is no misdeed {:?}", options.r#do)));
        }
        let plugin = Misbehave { options, misdeed: found, url: config.url.clone(), calls: Cell::new(0) };
        if let Some((misdeed, call)) = plugin.due("open") {
            misdeed.anywhere(&call)?;
        }
        Ok(plugin)
    }

    /// The misdeed, if it is for this function and this call. It counts the calls.
    fn due(&self, function: &str) -> Option<(&dyn Misdeed, Call<'_>)> {
        if self.options.at != function {
            return None;
        }
        self.calls.set(self.calls.get() + 1);
        let call = Call { number: self.calls.get(), how: &self.options.how };
        let due = call.number % self.options.every.max(1) == 0;
        Some((self.misdeed.as_deref()?, call)).filter(|_| due)
    }
}

impl Api for Misbehave {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Misbehave::new(&config)
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let mut request = HttpRequest {
            method: "POST".into(),
            url: if self.url.is_empty() { "http://localhost/".into() } else { self.url.clone() },
            headers: vec![("X-Test".into(), turn.request_id)],
            body: QUESTION.to_vec(),
            framing: Framing::Sse,
        };
        if let Some((misdeed, call)) = self.due("shape") {
            misdeed.anywhere(&call)?;
            misdeed.to_request(&call, &mut request);
        }
        Ok(request)
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        let mut outcome = Outcome::default();
        for index in 0..reply.frames.len() {
            outcome.push(index, OutputKind::Content, "word ");
        }
        if let Some((misdeed, call)) = self.due("parse") {
            misdeed.anywhere(&call)?;
            misdeed.to_outcome(&call, &reply, &mut outcome);
        }
        Ok(outcome)
    }
}

impl Dataset for Misbehave {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Misbehave::new(&config)
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let mut batch: Vec<Conversation> =
            (0..at_most).map(|i| Conversation::ask(format!("question {i}"))).collect();
        if let Some((misdeed, call)) = self.due("next") {
            misdeed.anywhere(&call)?;
            misdeed.to_batch(&call, &mut batch);
        }
        Ok(batch)
    }
}

export_plugin!(api: Misbehave, dataset: Misbehave);
