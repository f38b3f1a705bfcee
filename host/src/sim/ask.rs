//! What a request asks for: its body in each dialect.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::prompt::{ChatMessage, PromptTokens};
use super::protocol::Dialect;

/// The most tokens that one answer may have.
pub(super) const MOST_TOKENS: u64 = 10_000_000;

/// Numbers in an embedding, unless the request says how many it wants.
const DIMENSIONS: u64 = 1024;
/// The most that it may want.
const MOST_DIMENSIONS: u64 = 1 << 16;
/// The most numbers in one reply.
const MOST_NUMBERS: u64 = 1 << 24;

#[derive(Deserialize)]
struct Body<'a> {
    model: Option<String>,
    #[serde(borrow)]
    messages: Option<Vec<ChatMessage<'a>>>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    system: Option<&'a RawValue>,
    instructions: Option<String>,
    inputs: Option<String>,
    query: Option<String>,
    #[serde(borrow)]
    documents: Option<Vec<&'a RawValue>>,
    talk: Option<Vec<Saying>>,
    limit: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    min_tokens: Option<u64>,
    ignore_eos: Option<bool>,
    dimensions: Option<u64>,
    sim_fault: Option<String>,
    options: Option<Parameters>,
    parameters: Option<Parameters>,
    settings: Option<Parameters>,
}

#[derive(Deserialize, Default)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

/// A message of the example plugins' protocol.
#[derive(Deserialize)]
struct Saying {
    says: String,
}

/// Where Ollama, TGI, DashScope and the example plugins' protocol have what the others have in the body itself.
#[derive(Deserialize, Default)]
struct Parameters {
    num_predict: Option<i64>,
    max_new_tokens: Option<u64>,
    max_tokens: Option<u64>,
    min_tokens: Option<u64>,
    ignore_eos: Option<bool>,
    sim_fault: Option<String>,
}

/// An item of the input of a response: a message, or a call to a tool or its result.
#[derive(Deserialize)]
struct Item<'a> {
    role: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    arguments: Option<String>,
    output: Option<String>,
}

/// The input of a request to DashScope.
#[derive(Deserialize)]
struct DashScopeInput<'a> {
    #[serde(borrow)]
    messages: Option<Vec<ChatMessage<'a>>>,
    prompt: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    text: String,
}

/// What a request asks for.
pub(super) struct Ask {
    /// The model it names.
    pub model: Option<String>,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// The prompt.
    pub prompt: PromptTokens,
    /// How many texts are to be embedded or ranked.
    pub items: u64,
    /// Numbers in an embedding.
    pub dimensions: u64,
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
    /// Reads the body of a request. `stream` is what the path or a header says of streaming, if
    /// anything; `hashed` asks for the hashes of the prompt's blocks. An error is one line for the
    /// client.
    pub fn read(dialect: Dialect, stream: Option<bool>, body: &[u8], hashed: bool) -> Result<Ask, String> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| format!("the body is not valid JSON for this endpoint ({error}): correct it"))?;
        let mut prompt = PromptTokens::new(hashed);
        let items = read_prompt(dialect, &body, &mut prompt)?;
        let nested = body.parameters.or(body.options).or(body.settings).unwrap_or_default();
        let limit = match dialect {
            Dialect::Chat | Dialect::Completions => body.max_completion_tokens.or(body.max_tokens),
            Dialect::Responses => body.max_output_tokens,
            Dialect::Anthropic => match body.max_tokens {
                None => return Err("the body has no \"max_tokens\": give one".to_string()),
                limit => limit,
            },
            Dialect::DashScope => nested.max_tokens,
            Dialect::Ollama => nested.num_predict.and_then(|it| u64::try_from(it).ok()),
            Dialect::Tgi => nested.max_new_tokens,
            Dialect::Pebble => body.limit.or(nested.max_tokens),
            Dialect::Embeddings | Dialect::Rerank => None,
        };
        if limit.is_some_and(|limit| limit == 0 || limit > MOST_TOKENS) {
            return Err(format!("the number of tokens asked for is not from 1 to {MOST_TOKENS}: correct it"));
        }
        let dimensions = body.dimensions.unwrap_or(DIMENSIONS);
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(format!("\"dimensions\" is not from 1 to {MOST_DIMENSIONS}: correct it"));
        }
        if items.saturating_mul(dimensions) > MOST_NUMBERS {
            return Err(format!("the reply would have more than {MOST_NUMBERS} numbers: ask for less"));
        }
        let ignores_eos = body.ignore_eos.or(nested.ignore_eos) == Some(true);
        let exact = limit.is_some() && (ignores_eos || body.min_tokens.or(nested.min_tokens) == limit);
        let options = body.stream_options.unwrap_or_default();
        Ok(Ask {
            model: body.model,
            stream: stream.or(body.stream).unwrap_or(dialect == Dialect::Ollama),
            prompt,
            items,
            dimensions,
            limit,
            exact,
            include_usage: options.include_usage == Some(true),
            continuous_usage: options.continuous_usage_stats == Some(true),
            fault: body.sim_fault.or(nested.sim_fault),
        })
    }
}

/// Counts the prompt's tokens, and returns how many texts there are to embed or to rank.
fn read_prompt(dialect: Dialect, body: &Body, prompt: &mut PromptTokens) -> Result<u64, String> {
    let field = match dialect {
        Dialect::Chat | Dialect::Ollama | Dialect::Anthropic => "messages",
        Dialect::Completions => "prompt",
        Dialect::Responses | Dialect::Embeddings | Dialect::DashScope => "input",
        Dialect::Rerank if body.query.is_none() => "query",
        Dialect::Rerank => "documents",
        Dialect::Tgi => "inputs",
        Dialect::Pebble => "talk",
    };
    let missing = || format!("the body has no \"{field}\": give one that is not empty");
    let odd = |error: serde_json::Error| {
        format!("a \"content\" is neither text nor a list of parts ({error}): correct it")
    };
    let mut items = 0;
    match dialect {
        Dialect::Chat | Dialect::Ollama | Dialect::Anthropic => {
            if let (Some(system), Dialect::Anthropic) = (body.system, dialect) {
                prompt.push_content(system).map_err(odd)?;
            }
            let messages = body.messages.as_ref().filter(|list| !list.is_empty()).ok_or_else(missing)?;
            messages.iter().try_for_each(|message| prompt.push_message(message)).map_err(odd)?;
        }
        Dialect::Completions => {
            if read_texts(body.prompt.ok_or_else(missing)?.get(), prompt) != Some(1) {
                return Err(
                    "\"prompt\" is neither one text nor one list of token ids: give one of these".to_string()
                );
            }
        }
        Dialect::Embeddings => {
            items = read_texts(body.input.ok_or_else(missing)?.get(), prompt)
                .ok_or("\"input\" is neither text nor token ids, nor a list of either: give one of these")?;
        }
        Dialect::Responses => {
            if let Some(instructions) = &body.instructions {
                prompt.push_text(instructions);
            }
            read_items(body.input.ok_or_else(missing)?, prompt)?;
        }
        Dialect::DashScope => {
            let input: DashScopeInput = serde_json::from_str(body.input.ok_or_else(missing)?.get())
                .map_err(|error| format!("\"input\" has no messages and no prompt ({error}): correct it"))?;
            prompt.push_text(input.prompt.as_deref().unwrap_or_default());
            let mut messages = input.messages.iter().flatten();
            messages.try_for_each(|message| prompt.push_message(message)).map_err(odd)?;
        }
        Dialect::Rerank => {
            prompt.push_text(body.query.as_ref().ok_or_else(missing)?);
            for document in body.documents.as_ref().filter(|list| !list.is_empty()).ok_or_else(missing)? {
                match serde_json::from_str::<String>(document.get()) {
                    Ok(text) => prompt.push_text(&text),
                    Err(_) => {
                        let document: Document = serde_json::from_str(document.get())
                            .map_err(|error| format!("a document has no text ({error}): correct it"))?;
                        prompt.push_text(&document.text);
                    }
                }
                items += 1;
            }
        }
        Dialect::Tgi => prompt.push_text(body.inputs.as_ref().ok_or_else(missing)?),
        Dialect::Pebble => {
            let talk = body.talk.as_ref().filter(|list| !list.is_empty()).ok_or_else(missing)?;
            talk.iter().for_each(|saying| prompt.push_text(&saying.says));
        }
    }
    if prompt.count() == 0 { Err(missing()) } else { Ok(items) }
}

/// Reads a text, a list of ids, or a list of either, and returns how many there are.
fn read_texts(raw: &str, prompt: &mut PromptTokens) -> Option<u64> {
    if let Ok(text) = serde_json::from_str::<String>(raw) {
        prompt.push_text(&text);
        return Some(1);
    }
    if let Ok(ids) = serde_json::from_str::<Vec<u32>>(raw) {
        ids.into_iter().for_each(|id| prompt.push(id));
        return Some(1);
    }
    if let Ok(texts) = serde_json::from_str::<Vec<String>>(raw) {
        texts.iter().for_each(|text| prompt.push_text(text));
        return Some(texts.len() as u64);
    }
    let lists = serde_json::from_str::<Vec<Vec<u32>>>(raw).ok()?;
    lists.iter().flatten().for_each(|id| prompt.push(*id));
    Some(lists.len() as u64)
}

/// Reads the input of a response: a text, or a list of items.
fn read_items(raw: &RawValue, prompt: &mut PromptTokens) -> Result<(), String> {
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        prompt.push_text(&text);
        return Ok(());
    }
    let odd = |error| format!("\"input\" is neither text nor a list of items ({error}): correct it");
    for item in serde_json::from_str::<Vec<Item>>(raw.get()).map_err(odd)? {
        let role = item.role.unwrap_or_else(|| "tool".to_string());
        prompt.push_message(&ChatMessage { role, content: item.content }).map_err(odd)?;
        for text in [item.arguments, item.output].iter().flatten() {
            prompt.push_text(text);
        }
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
    fn the_prompts_of_every_dialect_are_counted() {
        for (dialect, body, tokens, items) in [
            (Dialect::Responses, r#"{"input":"good time"}"#, 2, 0),
            (
                Dialect::Responses,
                r#"{"instructions":"good","input":[{"role":"user","content":[{"type":"input_text","text":"time"}]},{"type":"function_call_output","output":"time"}]}"#,
                11,
                0,
            ),
            (Dialect::Embeddings, r#"{"input":"good time"}"#, 2, 1),
            (Dialect::Embeddings, r#"{"input":["good","time"]}"#, 2, 2),
            (Dialect::Embeddings, r#"{"input":[1,2,3]}"#, 3, 1),
            (Dialect::Embeddings, r#"{"input":[[1],[2,3]]}"#, 3, 2),
            (Dialect::Rerank, r#"{"query":"good","documents":["time",{"text":"good time"}]}"#, 4, 2),
            (
                Dialect::Anthropic,
                r#"{"system":"good","messages":[{"role":"user","content":"time"}],"max_tokens":1}"#,
                6,
                0,
            ),
            (
                Dialect::DashScope,
                r#"{"input":{"messages":[{"role":"user","content":[{"text":"time"}]}]},"parameters":{"max_tokens":3,"ignore_eos":true}}"#,
                5,
                0,
            ),
            (Dialect::DashScope, r#"{"input":{"prompt":"time"}}"#, 1, 0),
            (Dialect::Pebble, r#"{"talk":[{"who":"user","says":"good time"}]}"#, 2, 0),
        ] {
            let ask =
                Ask::read(dialect, None, body.as_bytes(), false).unwrap_or_else(|e| panic!("{body}: {e}"));
            assert_eq!((ask.prompt.count(), ask.items), (tokens, items), "{body}");
            assert_eq!(ask.exact, body.contains("ignore_eos"), "{body}");
        }
        for (dialect, body) in [
            (Dialect::Anthropic, r#"{"messages":[{"role":"user","content":"time"}]}"#),
            (Dialect::Responses, r#"{"input":[]}"#),
            (Dialect::Responses, r#"{"input":7}"#),
            (Dialect::Embeddings, r#"{"input":{}}"#),
            (Dialect::Embeddings, r#"{"input":"a","dimensions":0}"#),
            (Dialect::Rerank, r#"{"query":"a"}"#),
            (Dialect::Rerank, r#"{"documents":["a"]}"#),
            (Dialect::Rerank, r#"{"query":"a","documents":[7]}"#),
            (Dialect::DashScope, r#"{"input":"a"}"#),
            (Dialect::Pebble, r#"{"talk":[]}"#),
        ] {
            assert!(count(dialect, body).is_err(), "{body}");
        }
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
}
