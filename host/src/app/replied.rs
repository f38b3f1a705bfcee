//! The records that a run would write of recorded replies: `tickrate plugin check --replies`.

use std::path::Path;
use std::sync::Arc;

use super::exit::AppError;
use super::parts::{self, Counter};
use crate::config::secrets_of_options;
use crate::contract::{CUT_SHORT, Failure, FailureKind, RunConfig, TokenCounter};
use crate::engine;
use crate::output::{export, record_text};
use crate::plugin::check::CheckSpec;
use crate::plugin::replies::Recorded;
use crate::plugin::{Plugin, Services};
use crate::record::{KeptReply, Meaning, RequestKey, RequestRecord, Wire};
use crate::units::Nanos;

/// Records of recorded replies, in the order of the replies, under the names of those.
#[derive(Debug, Default)]
pub struct Replied {
    names: Vec<String>,
    records: Vec<RequestRecord>,
}

impl Replied {
    /// What `plugin` and the engine make of the replies of `spec`; none if the plugin cannot be
    /// opened. Each request counts as sent at zero, which is when it was due.
    ///
    /// # Errors
    /// If there is no tokenizer at `tokenizer_path`.
    pub fn new(
        plugin: &Plugin,
        spec: &CheckSpec,
        services: &Services,
        tokenizer_path: Option<&Path>,
    ) -> Result<Replied, AppError> {
        if spec.replies.is_empty() {
            return Ok(Replied::default());
        }
        let run = RunConfig { options: spec.api_options.clone(), dataset_path: None, ..spec.run.clone() };
        let Ok(api) = plugin.api(&run, services) else { return Ok(Replied::default()) };
        let counter = parts::open_tokenizer(tokenizer_path)?.map(|tokenizer| Counter {
            tokenizer,
            chats: false,
            patch_size: 28,
        });
        let counter = counter.as_ref().map(|counter| counter as &dyn TokenCounter);
        let secrets = secrets_of_options(&spec.api_options);
        let record = |(at, reply): (usize, &Recorded)| {
            let id = format!("reply-{}", at + 1);
            let kept = kept(&id, reply);
            engine::reread(api.as_ref(), counter, &secrets, unread(id, &run, reply), &kept)
        };
        Ok(Replied {
            names: spec.replies.iter().map(|reply| reply.name.clone()).collect(),
            records: spec.replies.iter().enumerate().map(record).collect(),
        })
    }

    /// The records as JSON objects with all columns of `requests.parquet`.
    ///
    /// # Errors
    /// If one of them cannot be a row.
    pub fn objects(&self) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, AppError> {
        export::objects(&self.records).map_err(|error| AppError::usage(error.to_string()))
    }

    /// The records to read, each below the name of its reply.
    ///
    /// # Errors
    /// If one of them cannot be a row.
    pub fn text(&self) -> Result<String, AppError> {
        let told = self.names.iter().zip(self.objects()?);
        Ok(told.map(|(name, object)| format!("\n{name}\n{}", record_text::of_reply(&object))).collect())
    }

    /// Writes the records to the file at `path`, as `requests.jsonl` has them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), AppError> {
        let lines =
            self.objects()?.into_iter().map(|object| format!("{}\n", serde_json::Value::from(object)));
        std::fs::write(path, lines.collect::<String>()).map_err(|error| {
            AppError::usage(format!("--records: cannot write \"{}\": {error}", path.display()))
        })
    }
}

/// The reply as a run keeps it.
fn kept(id: &str, reply: &Recorded) -> KeptReply {
    let broken = || Failure::new(FailureKind::Truncated, format!("{CUT_SHORT} in the middle of the reply"));
    KeptReply {
        request_id: id.to_string(),
        attempt: 1,
        status: reply.status,
        content_type: reply.content_type.clone(),
        framing: reply.framing,
        sent: Nanos::ZERO,
        broken: (!reply.complete).then(broken),
        labels: Vec::new(),
        framed: reply.framed.clone(),
    }
}

/// The record of the exchange, before anybody has read the reply.
fn unread(id: String, run: &RunConfig, reply: &Recorded) -> RequestRecord {
    let key = RequestKey {
        run_id: Arc::from("check"),
        stage: Arc::from("replies"),
        conversation_id: id.clone(),
        request_id: id,
        attempt: 1,
        turn: 0,
        conversation_turns: 1,
        input_turns: 1,
        api: Arc::from(""),
        dataset: Arc::from("replies"),
        model: Arc::from(run.model.as_str()),
        warmup: false,
    };
    let wire = Wire {
        due: Nanos::ZERO,
        sent: Some(Nanos::ZERO),
        first_byte: None,
        closed: reply.framed.frames.last().map_or(Nanos::ZERO, |frame| frame.at),
        framing: reply.framing,
        frames: 0,
        bytes_in: reply.bytes,
        bytes_out: 0,
        connection_reused: None,
        stale_connections: 0,
        status: Some(reply.status),
    };
    RequestRecord::new(key, 0, wire, Meaning { output: Some(String::new()), ..Meaning::default() })
}
