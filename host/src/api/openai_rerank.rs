//! The API for reranking that OpenAI-like servers share (`/v1/rerank`): a query and documents are
//! given, and each document gets a score. Nothing is generated.

use serde_json::{Value, json};

use super::asked::{ApiSpec, Asked, Body, check_options};
use super::content;
use super::openai_embedding::no_conversations;
use super::reply::{Next, count_at, each_frame, error_event, error_message, json};
use crate::contract::{
    Api, Failure, FailureKind, HttpRequest, Outcome, PartError, Prompt, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "openai_rerank";

/// The document of a request that has a query and no documents.
const DOCUMENT: &str = "A document that the query is compared with.";

/// The API for reranking.
pub(super) struct Rerank {
    asked: Asked,
}

impl Rerank {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Rerank, PartError> {
        check_options(NAME, config, &[])?;
        Ok(Rerank { asked: Asked::new(config, spec)? })
    }
}

impl Api for Rerank {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        if !turn.history.is_empty() {
            return Err(no_conversations(NAME));
        }
        let mut body = Body::of(&self.asked, turn)?;
        let texts: Vec<String> = match &turn.turn.prompt {
            Prompt::Text(text) => vec![text.clone()],
            Prompt::Chat(messages) => messages.iter().map(content::plain_text).collect(),
            Prompt::Body(_) => Vec::new(),
            Prompt::Tokens(_) => {
                return Err(PartError::Unsupported(format!(
                    "the api \"{NAME}\" takes no token ids; drop --tokenize-prompt"
                )));
            }
        };
        if let Some((query, documents)) = texts.split_first() {
            body.put("query", Value::String(query.clone()));
            body.put("documents", if documents.is_empty() { json!([DOCUMENT]) } else { json!(documents) });
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

/// Where servers have the list of scores: most of them, DashScope, and Voyage.
const RESULTS: [&str; 3] = ["/results", "/output/results", "/data"];

fn parse(reply: &Reply<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut results = 0;
    outcome.failure = each_frame(reply, |index, event, data| {
        if event == Some("error") {
            return Err(error_event(data));
        }
        let ranked = json(index, data)?;
        if let Some(message) = ranked.get("error").and_then(error_message) {
            return Err(Failure::new(FailureKind::StreamError, message));
        }
        // Text Embeddings Inference answers with nothing but the list.
        let list = RESULTS.iter().find_map(|pointer| ranked.pointer(pointer)?.as_array());
        let list = list.or(ranked.as_array());
        results += list.into_iter().flatten().filter(|result| result.is_object()).count();
        outcome.usage.input_tokens = count_at(
            &ranked,
            &[
                "/usage/prompt_tokens",
                "/usage/input_tokens",
                "/usage/total_tokens",
                "/meta/tokens/input_tokens",
            ],
        );
        // What a provider bills by is a label: search units are not tokens.
        if let Some(units) = count_at(&ranked, &["/meta/billed_units/search_units"]) {
            outcome.labels.push(("search_units".to_string(), units.to_string()));
        }
        Ok(Next::Continue)
    });
    if results > 0 {
        outcome.labels.push(("results".to_string(), results.to_string()));
    } else if outcome.failure.is_none() && reply.complete {
        let message = "the reply carried no results";
        outcome.failure = Some(Failure::new(FailureKind::EmptyReply, message));
    }
    outcome
}

#[cfg(test)]
mod tests;
