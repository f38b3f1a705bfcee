//! Write tickrate plugins in Rust: a trait, a macro, and nothing else.
//!
//! A dataset that asks the same thing over and over:
//!
//! ```
//! use tickrate_guest::{Conversation, Dataset, PluginError, RunConfig, export_dataset};
//!
//! struct Again;
//!
//! impl Dataset for Again {
//!     fn open(_config: RunConfig) -> Result<Self, PluginError> {
//!         Ok(Again)
//!     }
//!
//!     fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
//!         Ok((0..at_most).map(|n| Conversation::ask(format!("What is {n} + {n}?"))).collect())
//!     }
//! }
//!
//! export_dataset!(Again);
//! ```
//!
//! The crate is a `cdylib` that depends on `tickrate-guest`; `tickrate plugin build` makes the
//! component of it. The plugin's name and version are those of its crate. An API implements
//! [`Api`] and is exported with [`export_api!`]; a crate that is both uses [`export_plugin!`].
//!
//! What most plugins would write themselves is here: [`TurnInContext::utterances`] and
//! [`HttpRequest::post_json`] for a request, [`Reply::events`] with [`Outcome::add`] and
//! [`Outcome::end`] for a reply, [`host::lines`] for files, and with the feature `json` the module
//! `json` for options and members of objects.
//!
//! A server that streams words, one a line, and says `END` when it is done:
//!
//! ```
//! use tickrate_guest::{
//!     Api, Framing, HttpRequest, Outcome, OutputKind, PluginError, Reply, RunConfig, TurnInContext, export_api,
//! };
//!
//! struct Words {
//!     url: String,
//! }
//!
//! impl Api for Words {
//!     fn open(config: RunConfig) -> Result<Self, PluginError> {
//!         Ok(Words { url: config.url })
//!     }
//!
//!     fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
//!         let said: Vec<String> = turn.utterances()?.into_iter().map(|one| one.text).collect();
//!         let request = HttpRequest::post_json(&self.url, said.join("\n"), Framing::Ndjson);
//!         Ok(HttpRequest { headers: vec![("Content-Type".into(), "text/plain".into())], ..request })
//!     }
//!
//!     fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
//!         let (mut outcome, mut closed) = (Outcome::default(), false);
//!         for event in reply.events() {
//!             match std::str::from_utf8(event.data()) {
//!                 Ok("END") => closed = true,
//!                 Ok(word) => outcome.add(&event, OutputKind::Content, word, Some(1)),
//!                 Err(_) => outcome.unreadable(&event),
//!             }
//!         }
//!         outcome.end(&reply, closed);
//!         Ok(outcome)
//!     }
//! }
//!
//! export_api!(Words);
//! ```
//!
//! A plugin runs in a sandbox: no network, no environment, no files but the dataset's. What it
//! can ask of tickrate is in [`host`]. `docs/plugins.md` has the limits.
#![deny(missing_docs)]

#[doc(hidden)]
#[allow(missing_docs)]
pub mod bindings;
mod build;
mod chat;
mod export;
mod files;
#[cfg(feature = "json")]
pub mod json;
mod stream;

pub use bindings::imports::tickrate::plugin::types::Conversation;
pub use bindings::imports::tickrate::plugin::types::Failure;
pub use bindings::imports::tickrate::plugin::types::FailureKind;
pub use bindings::imports::tickrate::plugin::types::FrameMark;
pub use bindings::imports::tickrate::plugin::types::Framing;
pub use bindings::imports::tickrate::plugin::types::HttpRequest;
pub use bindings::imports::tickrate::plugin::types::Media;
pub use bindings::imports::tickrate::plugin::types::Message;
pub use bindings::imports::tickrate::plugin::types::Outcome;
pub use bindings::imports::tickrate::plugin::types::OutputFrame;
pub use bindings::imports::tickrate::plugin::types::OutputKind;
pub use bindings::imports::tickrate::plugin::types::Part;
pub use bindings::imports::tickrate::plugin::types::PluginError;
pub use bindings::imports::tickrate::plugin::types::Prompt;
pub use bindings::imports::tickrate::plugin::types::Reply;
pub use bindings::imports::tickrate::plugin::types::RunConfig;
pub use bindings::imports::tickrate::plugin::types::Turn;
pub use bindings::imports::tickrate::plugin::types::TurnInContext;
pub use bindings::imports::tickrate::plugin::types::Usage;
pub use chat::Utterance;
#[doc(hidden)]
pub use export::Slot;
pub use files::lines_of;
pub use stream::Event;

pub mod host {
    //! What tickrate offers to a plugin.
    pub use crate::bindings::imports::tickrate::plugin::host::File;
    pub use crate::bindings::imports::tickrate::plugin::host::Level;
    pub use crate::bindings::imports::tickrate::plugin::host::count;
    pub use crate::bindings::imports::tickrate::plugin::host::decode;
    pub use crate::bindings::imports::tickrate::plugin::host::encode;
    pub use crate::bindings::imports::tickrate::plugin::host::files;
    pub use crate::bindings::imports::tickrate::plugin::host::log;
    pub use crate::bindings::imports::tickrate::plugin::host::random;
    pub use crate::bindings::imports::tickrate::plugin::host::read;
    pub use crate::files::{content, lines};
}

/// The dialect of a server: how a turn becomes a request, and what a reply means.
///
/// The host keeps several instances and opens each once; any of them may get any call, so that
/// nothing learnt in one call may matter in another.
pub trait Api: Sized + 'static {
    /// The JSON Schema of the options (`--api-args`). The host checks them before [`Api::open`].
    fn options_schema() -> &'static str {
        "{}"
    }

    /// Called once, before anything else.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] if the options or parameters make no sense.
    fn open(config: RunConfig) -> Result<Self, PluginError>;

    /// The request that asks the server for this turn.
    ///
    /// # Errors
    /// [`PluginError::Unsupported`] for a kind of prompt that the server does not take.
    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError>;

    /// What a reply says. A failure that the server reported belongs into [`Outcome::failure`].
    ///
    /// # Errors
    /// If the plugin itself cannot do its work.
    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError>;
}

/// A source of conversations: read in order, and the same for the same seed.
pub trait Dataset: Sized + 'static {
    /// The JSON Schema of the options (`--dataset-args`). The host checks them before
    /// [`Dataset::open`].
    fn options_schema() -> &'static str {
        "{}"
    }

    /// Called once, before anything else.
    ///
    /// # Errors
    /// [`PluginError::InvalidConfig`] if the options or parameters make no sense.
    fn open(config: RunConfig) -> Result<Self, PluginError>;

    /// At most `at_most` further conversations; none means that the source is exhausted.
    ///
    /// # Errors
    /// [`PluginError::InvalidData`] for an item that cannot be understood.
    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError>;
}
