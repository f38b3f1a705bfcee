//! OpenAI's API for embeddings (`/v1/embeddings`). A server that embeds generates nothing: there
//! are input tokens and no output tokens, and the latency is that of the whole body.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content;
use super::reply::{Next, count_at, each_frame, error_event, error_message, json};
use crate::contract::{
    Api, Failure, FailureKind, HttpRequest, Outcome, PartError, Prompt, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "openai_embedding";

/// OpenAI's API for embeddings.
pub(super) struct Embedding {
    asked: Asked,
}

impl Embedding {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Embedding, PartError> {
        check_options(NAME, config, &[])?;
        Ok(Embedding { asked: Asked::new(config, spec)? })
    }
}

impl Api for Embedding {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        if !turn.history.is_empty() {
            return Err(no_conversations(NAME));
        }
        let mut body = Body::of(&self.asked, turn)?;
        match &turn.turn.prompt {
            Prompt::Text(text) => body.put("input", Value::String(text.clone())),
            Prompt::Tokens(ids) => body.put("input", Value::from(ids.as_slice())),
            Prompt::Chat(messages) => {
                let texts: Vec<String> = messages.iter().map(content::plain_text).collect();
                body.put("input", Value::String(texts.join("\n")));
            }
            Prompt::Body(_) => {}
        }
        body.put_model(&self.asked);
        for (name, value) in self.asked.other_parameters() {
            body.put(name, value);
        }
        body.request(&self.asked.url, None)
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse(reply))
    }
}

/// The error of a turn that is not the first one.
pub(super) fn no_conversations(api: &str) -> PartError {
    PartError::Unsupported(format!(
        "the api \"{api}\" has no conversations; choose a dataset of single turns"
    ))
}

/// What matters of a reply; the numbers of the embeddings themselves are skipped over unread.
#[derive(Deserialize)]
struct Embedded {
    data: Option<Vec<Item>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Item {
    embedding: Option<IgnoredAny>,
}

fn parse(reply: &Reply<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut embeddings = 0;
    outcome.failure = each_frame(reply, |index, event, data| {
        if event == Some("error") {
            return Err(error_event(data));
        }
        let embedded: Embedded = match serde_json::from_str(data) {
            Ok(embedded) if data.starts_with('{') => embedded,
            // JSON of another shape holds no embeddings.
            _ => json(index, data).map(|_| Embedded { data: None, usage: None, error: None })?,
        };
        if let Some(message) = embedded.error.as_ref().and_then(error_message) {
            return Err(Failure::new(FailureKind::StreamError, message));
        }
        embeddings += embedded.data.iter().flatten().filter(|item| item.embedding.is_some()).count();
        if let Some(usage) = &embedded.usage {
            outcome.usage.input_tokens = count_at(usage, &["/prompt_tokens", "/total_tokens"]);
        }
        Ok(Next::Continue)
    });
    if embeddings > 0 {
        outcome.labels.push(("embeddings".to_string(), embeddings.to_string()));
    } else if outcome.failure.is_none() && reply.complete {
        let message = "the reply carried no embeddings";
        outcome.failure = Some(Failure::new(FailureKind::EmptyReply, message));
    }
    outcome
}

#[cfg(test)]
mod tests;
