//! What `plugin.wasm` was built from, on the day that the contract 0.1 was frozen: an API and a dataset
//! that use a function, a record and a variant of each kind.

use tickrate_guest::{
    Api, Conversation, Dataset, Framing, HttpRequest, Outcome, OutputKind, PluginError, Prompt, Reply,
    RunConfig, TurnInContext, export_plugin, host,
};

struct Frozen {
    url: String,
    made: u32,
}

impl Frozen {
    fn new(config: RunConfig) -> Result<Frozen, PluginError> {
        if config.options.contains("refuse") {
            return Err(PluginError::InvalidConfig("refused as asked".into()));
        }
        host::log(host::Level::Info, "opened");
        Ok(Frozen { url: config.url, made: 0 })
    }
}

impl Api for Frozen {
    fn options_schema() -> &'static str {
        r#"{"type":"object","properties":{"refuse":{"type":"boolean"}},"additionalProperties":false}"#
    }

    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Frozen::new(config)
    }

    fn shape(&self, turn: TurnInContext) -> Result<HttpRequest, PluginError> {
        let text = turn.utterances()?.pop().map(|last| last.text).unwrap_or_default();
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}],"max_tokens":4,"stream":true}}"#
        );
        Ok(HttpRequest::post_json(&self.url, body, Framing::Sse))
    }

    /// A frame with a `"content"` that is not empty is one token.
    fn parse(&self, reply: Reply) -> Result<Outcome, PluginError> {
        let (mut outcome, mut closed) = (Outcome::default(), false);
        for event in reply.events() {
            let data = std::str::from_utf8(event.data()).unwrap_or_default();
            closed |= data == "[DONE]";
            let after = data.split_once(r#""content":""#).map(|(_, after)| after);
            if let Some(word) =
                after.and_then(|after| after.split('"').next()).filter(|word| !word.is_empty())
            {
                outcome.add(&event, OutputKind::Content, word, Some(1));
            }
        }
        outcome.end(&reply, closed);
        outcome.usage.output_tokens = Some(outcome.outputs.len() as u64);
        outcome.labels.push(("frozen".into(), "0.1".into()));
        Ok(outcome)
    }
}

impl Dataset for Frozen {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        Frozen::new(config)
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let ask = |text: String| Conversation::from(vec![Prompt::Text(text).into()]);
        let first = self.made;
        self.made += at_most;
        Ok((first..self.made).map(|n| ask(format!("{n} and {}", host::random() % 10))).collect())
    }
}

export_plugin!(api: Frozen, dataset: Frozen);
