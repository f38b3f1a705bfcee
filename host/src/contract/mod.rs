//! The nouns of a benchmark and the three traits that parts implement: [`Dataset`], [`Api`] and
//! [`Transport`]. This is the Rust twin of `wit/`: native parts and WASM components are both
//! turned into these, and the engine knows nothing else.

mod blocks;
mod conversation;
mod exchange;
pub mod framing;
mod outcome;

use std::future::Future;
use std::pin::Pin;

pub use blocks::Blocks;
pub use conversation::{Conversation, Media, Message, Part, Prompt, Turn, TurnInContext};
pub use exchange::{Ending, Frame, Framing, HttpRequest, Mark, Reply, Timeline};
pub use outcome::{BareFrame, CUT_SHORT, Failure, FailureKind, Outcome, OutputFrame, OutputKind, Usage};

/// What every part is told when it is opened: the facts of the run that shape its work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunConfig {
    /// The model's name as the server knows it.
    pub model: String,
    /// The full URL of the endpoint under test.
    pub url: String,
    /// Whether the reply is to be streamed.
    pub stream: bool,
    /// The seed that every random choice of the run derives from.
    pub seed: u64,
    /// How many conversations the largest stage asks for, warm-up included; a hint, not a bound.
    pub expected: u64,
    /// Sampling parameters and extra body fields, as one JSON object: what `--temperature`,
    /// `--max-tokens`, `--extra-args` and their like asked for.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// The part's own options (`--api-args`, `--dataset-args`), as one JSON object.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// The file or folder given with `--dataset-path`.
    pub dataset_path: Option<std::path::PathBuf>,
}

/// Why a part could not do what it was asked to. The text is one line, complete, and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// The options or flags given to the part make no sense to it.
    #[error("{0}")]
    InvalidConfig(String),
    /// A file or an item of it could not be understood.
    #[error("{0}")]
    InvalidData(String),
    /// The part does not do this.
    #[error("{0}")]
    Unsupported(String),
    /// The part itself failed: a bug, a trap, a limit that it ran into.
    #[error("{0}")]
    Internal(String),
}

/// A source of conversations: stateful, read in order by one thread, the same for the same seed.
pub trait Dataset: Send {
    /// The name the dataset goes by in records and tables.
    fn name(&self) -> &str;

    /// At most `at_most` further conversations; none means that the source is exhausted.
    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError>;

    /// Starts again from the beginning: the engine does this when it needs more than there is.
    fn rewind(&mut self) -> Result<(), PartError>;

    /// What is known about it once it is open.
    fn facts(&self) -> DatasetFacts {
        DatasetFacts::default()
    }
}

/// What a dataset knows about itself before anything is drawn from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetFacts {
    /// How many conversations there are; `None` if that is not known or there is no end to them.
    pub conversations: Option<u64>,
    /// Whether its conversations say when they arrive.
    pub arrivals: bool,
    /// What its user should know: lines for the console, each complete.
    pub notes: Vec<String>,
}

/// The dialect of a server: how a turn becomes a request, and what a reply means.
/// It keeps no state between calls, so that any thread may make any call.
pub trait Api: Send + Sync {
    /// The name the API goes by in records and tables.
    fn name(&self) -> &str;

    /// The request that asks the server for this turn.
    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError>;

    /// What the reply says. A failure that the server reported is an [`Outcome`] with its
    /// [`Failure`], not an error; an error means that the parser itself could not do its work.
    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError>;
}

/// A signal that asks exchanges to stop where they are.
pub type AbortSignal = tokio::sync::watch::Receiver<bool>;

/// A future that a [`Transport`] returns; it stays on the thread that made it.
pub type ExchangeFuture<'a> = Pin<Box<dyn Future<Output = Timeline> + 'a>>;

/// What carries a request to the server and records when each part of the reply came.
/// Each worker has a transport of its own, made and used on its own thread.
pub trait Transport {
    /// One request and its reply. It never fails: what went wrong is the [`Timeline`]'s [`Ending`],
    /// and what had arrived until then is kept. When `abort` turns true it ends at once.
    fn exchange<'a>(&'a self, request: &'a HttpRequest, abort: AbortSignal) -> ExchangeFuture<'a>;
}

/// Counts tokens where the server does not say how many there were.
pub trait TokenCounter: Send + Sync {
    /// Tokens of a plain text, without special tokens.
    fn count_text(&self, text: &str) -> Result<u64, PartError>;

    /// Tokens of the prompt that the turn sends, the chat template's own included.
    /// `None` for a prompt that has no tokens to count, such as a body in an API's own JSON.
    fn count_prompt(&self, turn: &TurnInContext) -> Result<Option<u64>, PartError>;
}
