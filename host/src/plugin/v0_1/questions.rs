//! What goes into a plugin: the contract's records in the shape of the bindings, borrowed, so
//! that every byte is copied once, into the plugin's memory.

use crate::contract::{Framing, Message, Part, Prompt, Reply, RunConfig, TurnInContext};

use super::bindings::tickrate::plugin::types as wit;

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// The texts that a [`wit::RunConfig`] borrows.
pub(super) struct Config {
    parameters: String,
    options: String,
    dataset_path: Option<String>,
}

impl Config {
    /// The texts of `config`, in which the dataset is at `dataset_path` for the plugin.
    pub(super) fn new(config: &RunConfig, dataset_path: Option<String>) -> Config {
        let text = |object: &serde_json::Map<_, _>| serde_json::Value::Object(object.clone()).to_string();
        Config { parameters: text(&config.parameters), options: text(&config.options), dataset_path }
    }

    /// What the plugin is opened with.
    pub(super) fn borrow<'a>(&'a self, config: &'a RunConfig) -> wit::RunConfig<'a> {
        wit::RunConfig {
            model: &config.model,
            url: &config.url,
            stream: config.stream,
            seed: config.seed,
            expected: config.expected,
            parameters: &self.parameters,
            options: &self.options,
            dataset_path: self.dataset_path.as_deref(),
        }
    }
}

/// The lists of messages, taken apart so that they can be borrowed.
struct Messages<'a> {
    roles: Vec<&'a str>,
    parts: Vec<Vec<wit::PartParam<'a>>>,
    fields: Vec<Pairs<'a>>,
}

impl<'a> Messages<'a> {
    fn new(messages: &'a [Message]) -> Messages<'a> {
        Messages {
            roles: messages.iter().map(|message| message.role.as_str()).collect(),
            parts: messages.iter().map(|message| message.content.iter().map(part).collect()).collect(),
            fields: messages.iter().map(|message| pairs(&message.fields)).collect(),
        }
    }

    fn borrow(&'a self) -> Vec<wit::MessageParam<'a>> {
        let lists = self.roles.iter().zip(&self.parts).zip(&self.fields);
        lists.map(|((role, content), fields)| wit::MessageParam { role, content, fields }).collect()
    }
}

fn pairs(pairs: &[(String, String)]) -> Pairs<'_> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn part(part: &Part) -> wit::PartParam<'_> {
    match part {
        Part::Text(text) => wit::PartParam::Text(text),
        Part::Image(media) => wit::PartParam::Image(wit::MediaParam { mime: &media.mime, data: &media.data }),
        Part::Audio(media) => wit::PartParam::Audio(wit::MediaParam { mime: &media.mime, data: &media.data }),
        Part::Json(json) => wit::PartParam::Json(json),
    }
}

/// Lends `turn` to `call` in the shape of the bindings.
pub(super) fn with_turn<R>(turn: &TurnInContext, call: impl FnOnce(wit::TurnInContext<'_>) -> R) -> R {
    let history = Messages::new(&turn.history);
    let history = history.borrow();
    let messages = match &turn.turn.prompt {
        Prompt::Chat(messages) => Messages::new(messages),
        _ => Messages::new(&[]),
    };
    let messages = messages.borrow();
    let prompt = match &turn.turn.prompt {
        Prompt::Text(text) => wit::PromptParam::Text(text),
        Prompt::Tokens(tokens) => wit::PromptParam::Tokens(tokens),
        Prompt::Chat(_) => wit::PromptParam::Chat(&messages),
        Prompt::Body(body) => wit::PromptParam::Body(body),
    };
    let headers = pairs(&turn.turn.headers);
    call(wit::TurnInContext {
        request_id: &turn.request_id,
        conversation_id: &turn.conversation_id,
        turn_index: turn.turn_index,
        history: &history,
        turn: wit::TurnParam {
            prompt,
            max_tokens: turn.turn.max_tokens,
            think_time_ms: turn.turn.think_time_ms,
            headers: &headers,
        },
    })
}

/// The marks of `reply`'s frames, with times relative to the sending. `None` if the reply is
/// larger than the 4 GiB that a plugin can address.
pub(super) fn marks<'a>(reply: &Reply<'a>) -> Option<Vec<wit::FrameMark<'a>>> {
    u32::try_from(reply.payload.len()).ok()?;
    let mark = |frame: &'a crate::contract::Frame| {
        Some(wit::FrameMark {
            at_ns: frame.at.0.saturating_sub(reply.sent.0),
            event: frame.event.as_deref(),
            start: u32::try_from(frame.range.start).ok()?,
            end: u32::try_from(frame.range.end).ok()?,
        })
    };
    reply.frames.iter().map(mark).collect()
}

/// `reply` with the marks of its frames.
pub(super) fn reply<'a>(reply: &Reply<'a>, frames: &'a [wit::FrameMark<'a>]) -> wit::Reply<'a> {
    wit::Reply {
        status: reply.status,
        content_type: reply.content_type,
        framing: framing(reply.framing),
        complete: reply.complete,
        payload: reply.payload,
        frames,
    }
}

fn framing(framing: Framing) -> wit::Framing {
    match framing {
        Framing::Sse => wit::Framing::Sse,
        Framing::Ndjson => wit::Framing::Ndjson,
        Framing::Raw => wit::Framing::Raw,
        Framing::Whole => wit::Framing::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Frame;
    use crate::units::Nanos;

    #[test]
    fn times_are_relative_to_the_sending() {
        let frames = [Frame { at: Nanos(1_500), event: Some("error".into()), range: 0..2 }];
        let whole = Reply {
            status: 200,
            content_type: None,
            framing: Framing::Sse,
            complete: true,
            sent: Nanos(1_000),
            payload: b"{}",
            frames: &frames,
        };
        let marks = marks(&whole).unwrap();
        assert_eq!(
            (marks[0].at_ns, marks[0].event, marks[0].start, marks[0].end),
            (500, Some("error"), 0, 2)
        );
    }

    #[test]
    fn a_turn_goes_in_with_its_history_and_all_its_parts() {
        let mut message = Message::text("user", "hi");
        message.content.push(Part::Json("{}".into()));
        message.fields.push(("name".into(), "\"x\"".into()));
        let turn = TurnInContext {
            request_id: "r".into(),
            conversation_id: "c".into(),
            turn_index: 1,
            history: std::sync::Arc::new(vec![Message::text("assistant", "before")]),
            turn: Prompt::Chat(vec![message]).into(),
        };
        with_turn(&turn, |turn| {
            assert_eq!(turn.history[0].role, "assistant");
            let wit::PromptParam::Chat([message]) = turn.turn.prompt else { panic!("not one message") };
            assert!(matches!(message.content, [wit::PartParam::Text("hi"), wit::PartParam::Json("{}")]));
            assert_eq!(message.fields, [("name", "\"x\"")]);
        });
    }
}
