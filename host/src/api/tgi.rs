//! The generate API of Hugging Face's Text Generation Inference (`/generate_stream`, `/generate`):
//! one event for each token, and at the end what was generated and how.

mod parse;

use serde_json::{Map, Value};

use super::asked::{ApiSpec, Asked, Body, check_options};
use crate::contract::{
    Api, Framing, HttpRequest, Outcome, Part, PartError, Prompt, Reply, RunConfig, TurnInContext,
};

const NAME: &str = "tgi";

/// The generate API.
pub(super) struct Tgi {
    asked: Asked,
    parameters: Map<String, Value>,
}

impl Tgi {
    /// The API for a run.
    pub(super) fn new(config: &RunConfig, spec: &ApiSpec) -> Result<Tgi, PartError> {
        const DETAILS: &str = "decoder_input_details";
        check_options(NAME, config, &[DETAILS])?;
        let mut parameters = Map::new();
        for (name, value) in config.parameters.clone() {
            let name = match name.as_str() {
                "stream" | "stream_options" | "min_tokens" => continue,
                "max_tokens" => "max_new_tokens".to_string(),
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
        match config.options.get(DETAILS) {
            None => {}
            Some(Value::Bool(wanted)) => {
                parameters.insert(DETAILS.into(), (*wanted).into());
            }
            Some(other) => {
                return Err(PartError::InvalidConfig(format!(
                    "--api-args: \"{DETAILS}\" of the api \"{NAME}\" must be true or false, but is {other}"
                )));
            }
        }
        Ok(Tgi { asked: Asked::new(config, spec)?, parameters })
    }
}

impl Api for Tgi {
    fn name(&self) -> &str {
        NAME
    }

    fn shape(&self, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
        let mut body = Body::of(&self.asked, turn)?;
        if !body.given {
            body.put("inputs", Value::String(inputs(turn)?));
        }
        let mut parameters = self.parameters.clone();
        if let Some(limit) = self.asked.limit(turn) {
            parameters.insert("max_new_tokens".into(), limit.into());
        }
        for (name, value) in parameters {
            body.put_in("parameters", &name, value);
        }
        body.request(&self.asked.url, self.asked.stream.then_some(Framing::Sse))
    }

    fn parse(&self, reply: &Reply<'_>) -> Result<Outcome, PartError> {
        Ok(parse::parse(reply))
    }
}

/// The prompt as one text: TGI applies no chat template here.
fn inputs(turn: &TurnInContext) -> Result<String, PartError> {
    let prompt = &turn.turn.prompt;
    let said = if let Prompt::Chat(chat) = prompt { chat.as_slice() } else { &[] };
    let mut texts: Vec<&str> = Vec::new();
    for part in turn.history.iter().chain(said).flat_map(|message| &message.content) {
        match part {
            Part::Text(text) => texts.push(text),
            _ => {
                return Err(PartError::Unsupported(
                    "the generate API takes text only; choose another dataset".into(),
                ));
            }
        }
    }
    match prompt {
        Prompt::Text(text) => texts.push(text),
        Prompt::Tokens(_) => {
            return Err(PartError::Unsupported("TGI takes no token ids; drop --tokenize-prompt".into()));
        }
        Prompt::Chat(_) | Prompt::Body(_) => {}
    }
    Ok(texts.join("\n"))
}

#[cfg(test)]
mod tests;
