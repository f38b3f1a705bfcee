//! What the figures and the spans are about, in the words of OpenTelemetry's conventions.

use serde_json::{Value, json};

/// The endpoint that a run asks: what its metrics and spans have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// What is asked for: `chat`, `text_completion`, `embeddings` or `rerank`.
    pub operation: &'static str,
    /// Whose protocol it is: `openai`, `anthropic`, or the API's own name.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Host and port of the server, if there is one alone.
    pub server: Option<(String, u16)>,
}

impl Subject {
    /// The subject of a run that asks `model` at `urls` through `api`.
    pub fn new(api: &str, model: &str, urls: &[&str]) -> Subject {
        let parsed = urls.first().and_then(|url| reqwest::Url::parse(url).ok());
        let path = parsed.as_ref().map_or("", |url| url.path()).trim_end_matches('/');
        let server = parsed.as_ref().filter(|_| urls.len() == 1).and_then(|url| {
            Some((url.host_str()?.trim_matches(['[', ']']).to_string(), url.port_or_known_default()?))
        });
        let provider = if api == "openai" || api.starts_with("openai_") { "openai" } else { api };
        let (provider, model) = (provider.to_string(), model.to_string());
        Subject { operation: operation(api, path), provider, model, server }
    }

    /// The attributes of each point and each span.
    pub(super) fn attributes(&self) -> Vec<Value> {
        let mut out = vec![
            text("gen_ai.operation.name", self.operation),
            text("gen_ai.provider.name", &self.provider),
            text("gen_ai.request.model", &self.model),
        ];
        if let Some((host, port)) = &self.server {
            out.push(text("server.address", host));
            out.push(whole("server.port", u64::from(*port)));
        }
        out
    }
}

fn operation(api: &str, path: &str) -> &'static str {
    let named = |word: &str| api.contains(word) || path.contains(word);
    if named("embed") {
        "embeddings"
    } else if named("rerank") {
        "rerank"
    } else if api == "tgi"
        || path.ends_with("/generate")
        || (path.ends_with("/completions") && !path.ends_with("/chat/completions"))
    {
        "text_completion"
    } else {
        "chat"
    }
}

/// An attribute that is a text.
pub(super) fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// An attribute that is a whole number. JSON has 64 bits of it as a text.
pub(super) fn whole(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// An attribute that is a number.
pub(super) fn number(key: &str, value: f64) -> Value {
    json!({"key": key, "value": {"doubleValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_told_in_the_words_of_the_conventions() {
        for (api, url, told) in [
            ("openai", "http://h:8000/v1/chat/completions", ("chat", "openai")),
            ("openai", "http://h/v1/completions", ("text_completion", "openai")),
            ("openai_responses", "http://h/v1/responses", ("chat", "openai")),
            ("openai_embedding", "http://h/v1/embeddings", ("embeddings", "openai")),
            ("openai_rerank", "http://h/v1/rerank", ("rerank", "openai")),
            ("anthropic", "http://h/v1/messages", ("chat", "anthropic")),
            ("ollama", "http://h/api/generate", ("text_completion", "ollama")),
            ("tgi", "http://h/generate_stream", ("text_completion", "tgi")),
            ("my-api", "http://h/x", ("chat", "my-api")),
        ] {
            let subject = Subject::new(api, "m", &[url]);
            assert_eq!((subject.operation, subject.provider.as_str()), told, "{api} {url}");
        }
    }

    #[test]
    fn a_server_is_named_only_if_it_is_the_only_one() {
        let server = |urls: &[&str]| Subject::new("openai", "m", urls).server;
        assert_eq!(server(&["https://u:p@h/v1"]), Some(("h".into(), 443)));
        assert_eq!(server(&["http://[::1]:8000/v1"]), Some(("::1".into(), 8000)));
        assert_eq!(server(&["http://a/v1", "http://b/v1"]), None);
    }
}
