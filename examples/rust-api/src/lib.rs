//! A server's dialect as a tickrate plugin: a turn becomes a request, a reply becomes an outcome.
//! `protocol.md` beside the examples says what the server speaks.

use serde::Deserialize;
use serde_json::{Value, json};
use tickrate_guest::json::{self, Object};
use tickrate_guest::{
    Api, FailureKind, Framing, HttpRequest, Outcome, OutputKind, PluginError, Reply, RunConfig, TurnInContext,
    Utterance, export_api,
};

/// What `--api-args` may hold.
#[derive(Deserialize)]
struct Options {
    system: Option<String>,
}

struct Plugin {
    model: String,
    url: String,
    stream: bool,
    settings: Object,
    options: Options,
}

impl Api for Plugin {
    /// The options as a JSON Schema. tickrate checks them before it calls `open`.
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {"system": {"type": "string", "description": "a system message before every chat"}},
            "additionalProperties": false
        }"#
    }

    /// Called once for each instance, before anything else.
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Ok(Plugin {
            settings: config.parameter_object()?,
            options: config.typed_options()?,
            model: config.model,
            url: config.url,
            stream: config.stream,
        })
    }

    /// The request for one turn. Nothing may be kept from one call to the next.
    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let mut said = turn.utterances()?;
        if let Some(system) = &self.options.system {
            said.insert(0, Utterance { role: "system".into(), text: system.clone() });
        }
        let talk: Value = said.iter().map(|one| json!({ "who": one.role, "says": one.text })).collect();
        let mut body = json!({
            "model": self.model,
            "stream": self.stream,
            "talk": talk,
            "settings": self.settings,
        });
        if let Some(limit) = turn.turn.max_tokens {
            body["limit"] = limit.into();
        }
        let framing = if self.stream { Framing::Sse } else { Framing::Whole };
        Ok(HttpRequest::post_json(&self.url, body.to_string(), framing))
    }

    /// What a whole reply says. What the server did wrong is a failure in the outcome.
    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        Ok(outcome(&reply))
    }
}

fn outcome(reply: &Reply) -> Outcome {
    let (mut outcome, mut closed) = (Outcome::default(), false);
    for event in reply.events() {
        let Some(object) = event.object() else {
            outcome.unreadable(&event);
            return outcome;
        };
        match event.name() {
            _ if !reply.is_streamed() => {
                if let Some(Value::String(fault)) = object.get("fault") {
                    outcome.fail(FailureKind::StreamError, fault);
                }
                outcome.add(&event, OutputKind::Reasoning, json::text(&object, "thought"), None);
                outcome.add(&event, OutputKind::Content, json::text(&object, "text"), None);
                close(&mut outcome, &object);
            }
            "thought" => outcome.add_member(&event, OutputKind::Reasoning, &object, "text", "tokens"),
            "piece" => outcome.add_member(&event, OutputKind::Content, &object, "text", "tokens"),
            "close" => {
                closed = true;
                close(&mut outcome, &object);
            }
            "fault" => {
                outcome.fail(FailureKind::StreamError, json::text(&object, "message"));
                return outcome;
            }
            _ => {} // "open", and what may come with a later version
        }
    }
    outcome.end(reply, closed);
    outcome
}

/// Why the server stopped, and what it counted.
fn close(outcome: &mut Outcome, object: &Object) {
    outcome.finish_reason = object.get("reason").and_then(Value::as_str).map(str::to_owned);
    outcome.usage.input_tokens = json::count(object, "prompt_tokens");
    outcome.usage.cached_tokens = json::count(object, "cached_tokens");
    outcome.usage.output_tokens = json::count(object, "output_tokens");
    outcome.usage.reasoning_tokens = json::count(object, "thought_tokens");
}

export_api!(Plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use tickrate_guest::{FrameMark, Prompt};

    fn streamed(events: &[(&str, &str)]) -> Outcome {
        let (mut payload, mut frames) = (Vec::new(), Vec::new());
        for (name, data) in events {
            let start = payload.len() as u32;
            payload.extend_from_slice(data.as_bytes());
            let (event, end) = (Some(name.to_string()), payload.len() as u32);
            frames.push(FrameMark { at_ns: 0, event, start, end });
        }
        let framing = Framing::Sse;
        outcome(&Reply { status: 200, content_type: None, framing, complete: true, payload, frames })
    }

    #[test]
    fn a_stream_is_understood() {
        let outcome = streamed(&[
            ("open", "{}"),
            ("thought", r#"{"text":"hm","tokens":1}"#),
            ("piece", r#"{"text":"né","tokens":2}"#),
            ("close", r#"{"reason":"stop","prompt_tokens":3,"output_tokens":3}"#),
        ]);
        assert_eq!((outcome.text.as_str(), outcome.outputs[1].tokens), ("hmné", Some(2)));
        assert_eq!((outcome.usage.input_tokens, outcome.usage.cached_tokens), (Some(3), None));
        assert!(outcome.failure.is_none());
    }

    #[test]
    fn what_the_server_does_wrong_is_a_failure() {
        let failed = |events| streamed(events).failure.map(|failure| failure.kind);
        assert_eq!(failed(&[("piece", "{")]), Some(FailureKind::InvalidReply));
        assert_eq!(failed(&[("fault", r#"{"message":"no"}"#)]), Some(FailureKind::StreamError));
        assert_eq!(failed(&[("piece", r#"{"text":"a"}"#)]), Some(FailureKind::Truncated));
        assert_eq!(failed(&[("close", "{}")]), Some(FailureKind::EmptyReply));
    }

    #[test]
    fn a_request_has_what_was_asked_for() {
        let options = Options { system: Some("Be brief.".into()) };
        let (model, url, settings) = ("m".into(), "http://h/".into(), Object::new());
        let plugin = Plugin { model, url, stream: true, settings, options };
        let request = plugin.shape(TurnInContext {
            request_id: "1".into(),
            conversation_id: "c".into(),
            turn_index: 0,
            history: Vec::new(),
            turn: Prompt::Text("Why?".into()).into(),
        });
        let body: Value = serde_json::from_slice(&request.unwrap().body).unwrap();
        let talk = json!([{ "who": "system", "says": "Be brief." }, { "who": "user", "says": "Why?" }]);
        assert_eq!(body, json!({ "model": "m", "stream": true, "talk": talk, "settings": {} }));
    }
}
