//! The generate API of Hugging Face's Text Generation Inference (`/generate_stream`) as a tickrate
//! plugin: one event for each token, and at the end what was generated and how.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tickrate_guest::{
    Api, Failure, FailureKind, Framing, HttpRequest, Message, Outcome, OutputKind, Part, PluginError, Prompt,
    Reply, RunConfig, TurnInContext, export_api,
};

struct TgiGenerate {
    url: String,
    stream: bool,
    parameters: Map<String, Value>,
}

impl Api for TgiGenerate {
    fn options_schema() -> &'static str {
        r#"{
            "type": "object",
            "properties": {
                "decoder_input_details": {
                    "type": "boolean",
                    "description": "ask for the tokens of the prompt, so that they are counted"
                }
            },
            "additionalProperties": false
        }"#
    }

    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let object = |text: &str, what: &str| {
            serde_json::from_str::<Map<String, Value>>(text).map_err(|error| {
                PluginError::InvalidConfig(format!("the {what} are no JSON object: {error}"))
            })
        };
        let mut parameters = Map::new();
        for (name, value) in object(&config.parameters, "parameters")? {
            let name = match name.as_str() {
                "stream" | "stream_options" | "min_tokens" => continue,
                "max_tokens" => "max_new_tokens".to_owned(),
                _ => name,
            };
            // TGI refuses a temperature of 0: it is what it calls not sampling.
            if name == "temperature" && value.as_f64() == Some(0.0) {
                parameters.insert("do_sample".into(), false.into());
            } else {
                parameters.insert(name, value);
            }
        }
        parameters.insert("details".into(), true.into());
        if let Some(wanted) = object(&config.options, "options")?.remove("decoder_input_details") {
            parameters.insert("decoder_input_details".into(), wanted);
        }
        Ok(TgiGenerate { url: config.url, stream: config.stream, parameters })
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let mut parameters = self.parameters.clone();
        if let Some(limit) = turn.turn.max_tokens {
            parameters.insert("max_new_tokens".into(), limit.into());
        }
        let body = match &turn.turn.prompt {
            Prompt::Body(given) => {
                let mut body: Map<String, Value> = serde_json::from_slice(given).map_err(|error| {
                    PluginError::InvalidData(format!(
                        "a request body is not a JSON object ({error}); correct the dataset"
                    ))
                })?;
                if let Value::Object(own) = body.entry("parameters").or_insert_with(|| json!({})) {
                    for (name, value) in parameters {
                        own.entry(name).or_insert(value);
                    }
                }
                Value::Object(body)
            }
            prompt => json!({ "inputs": inputs(&turn.history, prompt)?, "parameters": parameters }),
        };
        Ok(HttpRequest {
            method: "POST".into(),
            url: self.url.clone(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
            framing: if self.stream { Framing::Sse } else { Framing::Whole },
        })
    }

    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        Ok(parse(&reply))
    }
}

/// The prompt as one text: TGI applies no chat template here.
fn inputs(history: &[Message], prompt: &Prompt) -> Result<String, PluginError> {
    let mut texts: Vec<&str> = Vec::new();
    let said: &[Message] = match prompt {
        Prompt::Chat(chat) => chat,
        _ => &[],
    };
    for part in history.iter().chain(said).flat_map(|message| &message.content) {
        match part {
            Part::Text(text) => texts.push(text),
            _ => {
                return Err(PluginError::Unsupported(
                    "the generate API takes text only; choose another dataset".into(),
                ));
            }
        }
    }
    match prompt {
        Prompt::Text(text) => texts.push(text),
        Prompt::Tokens(_) => {
            return Err(PluginError::Unsupported("TGI takes no token ids; drop --tokenize-prompt".into()));
        }
        Prompt::Chat(_) | Prompt::Body(_) => {}
    }
    Ok(texts.join("\n"))
}

/// An event of the stream, or, with nothing but the last three members, a whole reply.
#[derive(Deserialize)]
struct Event {
    token: Option<Token>,
    error: Option<String>,
    generated_text: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    text: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Details {
    finish_reason: Option<String>,
    generated_tokens: Option<u64>,
    input_length: Option<u64>,
    #[serde(default)]
    prefill: Vec<Value>,
}

fn parse(reply: &Reply) -> Outcome {
    let mut outcome = Outcome::default();
    let mut ended = false;
    for (index, frame) in reply.frames.iter().enumerate() {
        let event: Event = match serde_json::from_slice(reply.data(frame)) {
            Ok(event) => event,
            // The end of a reply that broke off may be half an event.
            Err(_) if !reply.complete && index + 1 == reply.frames.len() => break,
            Err(_) => {
                let message = format!("frame {index} is not valid JSON");
                outcome.failure = Some(Failure::new(FailureKind::InvalidReply, message));
                return outcome;
            }
        };
        if let Some(said) = event.error {
            let message = said.split_whitespace().collect::<Vec<_>>().join(" ");
            outcome.failure = Some(Failure::new(FailureKind::StreamError, message));
            return outcome;
        }
        // Only the last event has the text as a whole.
        ended |= event.generated_text.is_some() || event.details.is_some();
        // A special token, the end of the text, is one that was generated and is not shown.
        let shown = event.token.as_ref().filter(|token| !token.special && !token.text.is_empty());
        if let Some(token) = shown {
            outcome.push(index, OutputKind::Content, &token.text);
            if let Some(output) = outcome.outputs.last_mut() {
                output.tokens = Some(1);
            }
        } else if let (None, Some(text)) = (&event.token, event.generated_text.filter(|t| !t.is_empty())) {
            outcome.push(index, OutputKind::Content, &text);
        }
        if let Some(details) = event.details {
            outcome.finish_reason = details.finish_reason.or(outcome.finish_reason);
            outcome.usage.output_tokens = details.generated_tokens;
            let counted = (!details.prefill.is_empty()).then_some(details.prefill.len() as u64);
            outcome.usage.input_tokens = details.input_length.or(counted);
        }
    }
    if reply.complete {
        if !ended && reply.framing == Framing::Sse {
            let message = "the stream ended without the text as a whole";
            outcome.failure = Some(Failure::new(FailureKind::Truncated, message));
        } else if outcome.outputs.is_empty() && outcome.usage.output_tokens.unwrap_or(0) == 0 {
            outcome.failure = Some(Failure::new(FailureKind::EmptyReply, "the reply carried no output"));
        }
    }
    outcome
}

export_api!(TgiGenerate);
