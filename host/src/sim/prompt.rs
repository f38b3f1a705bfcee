//! What a request asks for: its body in each dialect, and how its tokens are counted.
//!
//! The simulator's own rule for counting: a text is split at white space and each word into
//! pieces of four bytes, and every piece is a token. A list of token ids counts its length, a
//! message of a chat four tokens more than its content, and a picture or a sound 64.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::protocol::Dialect;

/// Tokens in a block of the prefix cache.
pub(super) const BLOCK_TOKENS: u64 = 16;

const MESSAGE_TOKENS: u32 = 4;
const MEDIA_TOKENS: u32 = 64;

/// A prompt's tokens, counted; with a cache also the hash of every full block and what precedes it.
#[derive(Default)]
pub(super) struct PromptTokens {
    count: u64,
    hasher: Option<DefaultHasher>,
    blocks: Vec<u64>,
}

impl PromptTokens {
    fn new(hashed: bool) -> PromptTokens {
        PromptTokens { hasher: hashed.then(DefaultHasher::new), ..PromptTokens::default() }
    }

    /// How many tokens there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The hashes of the full blocks, in order.
    pub fn blocks(&self) -> &[u64] {
        &self.blocks
    }

    fn push(&mut self, token: u32) {
        self.count += 1;
        if let Some(hasher) = &mut self.hasher {
            hasher.write_u32(token);
            if self.count.is_multiple_of(BLOCK_TOKENS) {
                self.blocks.push(hasher.finish());
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        for word in text.split_whitespace() {
            for piece in word.as_bytes().chunks(4) {
                let mut token = [0; 4];
                token[..piece.len()].copy_from_slice(piece);
                self.push(u32::from_le_bytes(token));
            }
        }
    }

    fn push_message(&mut self, message: &ChatMessage) -> Result<(), serde_json::Error> {
        for i in 0..MESSAGE_TOKENS {
            self.push(
                message.role.bytes().fold(i, |token, byte| token.wrapping_mul(31).wrapping_add(byte.into())),
            );
        }
        match message.content {
            None => {}
            Some(content) if content.get().starts_with('[') => {
                for part in serde_json::from_str::<Vec<ContentPart>>(content.get())? {
                    match part.text {
                        Some(text) => self.push_text(&text),
                        None => (0..MEDIA_TOKENS).for_each(|i| self.push(i)),
                    }
                }
            }
            Some(content) => self.push_text(&serde_json::from_str::<Cow<str>>(content.get())?),
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct ChatMessage<'a> {
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ContentPart {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Body<'a> {
    model: Option<String>,
    #[serde(borrow)]
    messages: Option<Vec<ChatMessage<'a>>>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    inputs: Option<String>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    min_tokens: Option<u64>,
    ignore_eos: Option<bool>,
    sim_fault: Option<String>,
    options: Option<OllamaOptions>,
    parameters: Option<TgiParameters>,
}

#[derive(Deserialize, Default)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

#[derive(Deserialize)]
struct OllamaOptions {
    num_predict: Option<i64>,
}

#[derive(Deserialize)]
struct TgiParameters {
    max_new_tokens: Option<u64>,
}

/// What a request asks for.
pub(super) struct Ask {
    /// The model it names.
    pub model: Option<String>,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// The prompt.
    pub prompt: PromptTokens,
    /// The most tokens it wants.
    pub limit: Option<u64>,
    /// Whether exactly the limit is wanted (`ignore_eos`, or `min_tokens` equal to it).
    pub exact: bool,
    /// Whether a stream is to end with a usage frame.
    pub include_usage: bool,
    /// Whether every frame of a stream is to have a usage.
    pub continuous_usage: bool,
    /// The name in the field `sim_fault`.
    pub fault: Option<String>,
}

impl Ask {
    /// Reads the body of a request. `stream` is what the path says of streaming, if anything;
    /// `hashed` asks for the hashes of the prompt's blocks. An error is one line for the client.
    pub fn read(dialect: Dialect, stream: Option<bool>, body: &[u8], hashed: bool) -> Result<Ask, String> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| format!("the body is not valid JSON for this endpoint ({error}): correct it"))?;
        let mut prompt = PromptTokens::new(hashed);
        let field = match dialect {
            Dialect::Chat | Dialect::Ollama => "messages",
            Dialect::Completions => "prompt",
            Dialect::Tgi => "inputs",
        };
        let missing = || format!("the body has no \"{field}\": give one that is not empty");
        match dialect {
            Dialect::Chat | Dialect::Ollama => {
                let messages = body.messages.as_ref().filter(|list| !list.is_empty()).ok_or_else(missing)?;
                for message in messages {
                    prompt.push_message(message).map_err(|error| {
                        format!("a \"content\" is neither text nor a list of parts ({error}): correct it")
                    })?;
                }
            }
            Dialect::Completions => read_prompt(body.prompt.ok_or_else(missing)?.get(), &mut prompt)?,
            Dialect::Tgi => prompt.push_text(body.inputs.as_ref().ok_or_else(missing)?),
        }
        if prompt.count() == 0 {
            return Err(missing());
        }
        let limit = match dialect {
            Dialect::Chat | Dialect::Completions => body.max_completion_tokens.or(body.max_tokens),
            Dialect::Ollama => {
                body.options.and_then(|it| it.num_predict).and_then(|it| u64::try_from(it).ok())
            }
            Dialect::Tgi => body.parameters.and_then(|it| it.max_new_tokens),
        };
        if limit.is_some_and(|limit| limit == 0 || limit > MOST_TOKENS) {
            return Err(format!("the number of tokens asked for is not from 1 to {MOST_TOKENS}: correct it"));
        }
        let exact = limit.is_some() && (body.ignore_eos == Some(true) || body.min_tokens == limit);
        let options = body.stream_options.unwrap_or_default();
        Ok(Ask {
            model: body.model,
            stream: stream.or(body.stream).unwrap_or(dialect == Dialect::Ollama),
            prompt,
            limit,
            exact,
            include_usage: options.include_usage == Some(true),
            continuous_usage: options.continuous_usage_stats == Some(true),
            fault: body.sim_fault,
        })
    }
}

/// The most tokens that one answer may have.
pub(super) const MOST_TOKENS: u64 = 10_000_000;

/// Reads the `prompt` of a completion: a text, a list of ids, or a list with one of either.
fn read_prompt(raw: &str, prompt: &mut PromptTokens) -> Result<(), String> {
    if let Ok(text) = serde_json::from_str::<String>(raw) {
        prompt.push_text(&text);
    } else if let Ok(ids) = serde_json::from_str::<Vec<u32>>(raw) {
        ids.into_iter().for_each(|id| prompt.push(id));
    } else if let Ok([text]) = serde_json::from_str::<[String; 1]>(raw) {
        prompt.push_text(&text);
    } else if let Ok([ids]) = serde_json::from_str::<[Vec<u32>; 1]>(raw) {
        ids.into_iter().for_each(|id| prompt.push(id));
    } else {
        return Err("\"prompt\" is neither one text nor one list of token ids: give one of these".to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(dialect: Dialect, body: &str) -> Result<u64, String> {
        Ask::read(dialect, None, body.as_bytes(), false).map(|ask| ask.prompt.count())
    }

    #[test]
    fn tokens_are_counted_by_the_documented_rule() {
        let completions = |body| count(Dialect::Completions, body).unwrap();
        assert_eq!(completions(r#"{"prompt":" good  time\n"}"#), 2);
        assert_eq!(completions(r#"{"prompt":"hello"}"#), 2);
        assert_eq!(completions(r#"{"prompt":[5,6,7]}"#), 3);
        assert_eq!(completions(r#"{"prompt":[[5,6,7]]}"#), 3);
        assert_eq!(completions(r#"{"prompt":["time"]}"#), 1);
        let chat = |body| count(Dialect::Chat, body).unwrap();
        assert_eq!(chat(r#"{"messages":[{"role":"user","content":"time"},{"role":"user"}]}"#), 9);
        let parts = r#"[{"type":"text","text":"time"},{"type":"image_url","image_url":{"url":"x"}}]"#;
        assert_eq!(chat(&format!(r#"{{"messages":[{{"role":"user","content":{parts}}}]}}"#)), 69);
        assert_eq!(count(Dialect::Tgi, r#"{"inputs":"good time"}"#).unwrap(), 2);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"prompt":{}}"#,
            r#"{"prompt":["a","b"]}"#,
            r#"{"prompt":"a","max_tokens":0}"#,
        ] {
            assert!(count(Dialect::Completions, body).is_err(), "{body}");
        }
        assert!(count(Dialect::Chat, r#"{"messages":[]}"#).is_err());
        assert!(count(Dialect::Chat, r#"{"messages":[{"role":"user","content":5}]}"#).is_err());
    }

    #[test]
    fn a_block_is_known_by_itself_and_all_before_it() {
        let blocks = |text: &str| {
            let mut tokens = PromptTokens::new(true);
            tokens.push_text(text);
            tokens.blocks
        };
        let one = blocks(&" good".repeat(40));
        let other = blocks(&format!(" time{}", " good".repeat(39)));
        assert_eq!(one.len(), 2);
        assert_eq!(one, blocks(&" good".repeat(47)));
        assert_ne!(one[1], other[1]);
    }
}
