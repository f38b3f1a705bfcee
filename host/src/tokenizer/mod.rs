//! Counting, encoding and decoding tokens, and rendering a tokenizer's chat template.

mod file;
mod template;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::contract::Message;
use template::ChatTemplate;

/// Why a tokenizer could not be opened or could not do its work. The text is one line and says
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// There is nothing at the path.
    #[error(
        "the tokenizer \"{0}\" does not exist; give --tokenizer-path a folder that holds a tokenizer.json, or that file"
    )]
    Missing(String),
    /// The folder is there, the file in it is not.
    #[error(
        "the folder \"{0}\" holds no tokenizer.json; give --tokenizer-path a folder that does (a tokenizer of another kind can be saved as one with transformers)"
    )]
    NoTokenizerFile(String),
    /// A file could not be read.
    #[error("the file \"{file}\" cannot be read: {reason}; check --tokenizer-path")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// A file was read and makes no sense.
    #[error(
        "the file \"{file}\" cannot be understood: {reason}; check that --tokenizer-path names a complete tokenizer"
    )]
    Unparsable {
        /// The file.
        file: String,
        /// What the parser said.
        reason: String,
    },
    /// The tokenizer has no chat template.
    #[error(
        "the tokenizer \"{0}\" has no chat template; drop --tokenizer-path or pass --no-apply-chat-template"
    )]
    NoChatTemplate(String),
    /// The chat template does not compile or refused the messages.
    #[error(
        "the chat template of \"{tokenizer}\" failed: {reason}; correct it or pass --no-apply-chat-template"
    )]
    Template {
        /// The tokenizer's path.
        tokenizer: String,
        /// What the template engine, or the template itself, said.
        reason: String,
    },
    /// The text or the ids could not be converted.
    #[error("the tokenizer \"{tokenizer}\" cannot convert a text: {reason}; try another --tokenizer-path")]
    Conversion {
        /// The tokenizer's path.
        tokenizer: String,
        /// What the tokenizer said.
        reason: String,
    },
}

/// A tokenizer in the format of `tokenizer.json`, with its chat template if it has one. It never
/// adds special tokens by itself: a template writes its own. Share it with an `Arc`.
pub struct Tokenizer {
    name: String,
    inner: tokenizers::Tokenizer,
    special_ids: HashSet<u32>,
    template: Option<Result<ChatTemplate, String>>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Opens a folder that holds a `tokenizer.json`, or such a file. Beside it are read, where they
    /// are there: `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja`.
    /// A chat template that does not compile is an error only once it is used.
    pub fn open(path: impl AsRef<Path>) -> Result<Tokenizer, TokenizerError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if !path.exists() {
            return Err(TokenizerError::Missing(name));
        }
        let (folder, file) = match path.is_dir() {
            true => (path.to_path_buf(), path.join("tokenizer.json")),
            false => (path.parent().map(PathBuf::from).unwrap_or_default(), path.to_path_buf()),
        };
        let json = read(&file)?.ok_or_else(|| TokenizerError::NoTokenizerFile(name.clone()))?;
        let inner = file::parse(&json).map_err(|error| TokenizerError::Unparsable {
            file: file.display().to_string(),
            reason: one_line(&error.to_string()),
        })?;
        drop(json);

        let config = read_object(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let mut named = read_object(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
        named.extend(config.iter().map(|(key, value)| (key.clone(), value.clone())));
        let named = special_tokens(&named);
        let template = match read(&folder.join("chat_template.jinja"))? {
            Some(source) => Some(source),
            None => config.get("chat_template").and_then(template_source),
        }
        .map(|source| ChatTemplate::new(&source, &named));

        let mut special_ids: HashSet<u32> = inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, _)| id)
            .collect();
        special_ids.extend(named.iter().filter_map(|(_, token)| inner.token_to_id(token)));
        Ok(Tokenizer { name, inner, special_ids, template })
    }

    /// The path that it was opened from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many tokens the text has.
    pub fn count(&self, text: &str) -> Result<usize, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.conversion(&error))?;
        Ok(encoding.len())
    }

    /// The text's token ids.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| self.conversion(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text that the ids stand for, special tokens left out. Ids that the vocabulary does not
    /// have are left out too.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner.decode(ids, true).map_err(|error| self.conversion(&error))
    }

    /// The ids that a random prompt may be made of, ascending: the whole vocabulary, added tokens
    /// included, but no special tokens and no byte-fallback tokens such as `<0x0A>`.
    pub fn plain_ids(&self) -> Vec<u32> {
        let size = u32::try_from(self.inner.get_vocab_size(true)).unwrap_or(u32::MAX);
        (0..size)
            .filter(|id| !self.special_ids.contains(id))
            .filter(|&id| self.inner.id_to_token(id).is_some_and(|token| !is_byte_fallback(&token)))
            .collect()
    }

    /// Whether it has a chat template.
    pub fn has_chat_template(&self) -> bool {
        self.template.is_some()
    }

    /// The text that the chat template makes of the messages.
    pub fn render_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, TokenizerError> {
        let failed = |reason: &str| TokenizerError::Template {
            tokenizer: self.name.clone(),
            reason: one_line(reason),
        };
        match &self.template {
            None => Err(TokenizerError::NoChatTemplate(self.name.clone())),
            Some(Err(reason)) => Err(failed(reason)),
            Some(Ok(template)) => {
                template.render(messages, add_generation_prompt).map_err(|reason| failed(&reason))
            }
        }
    }

    /// How many tokens the messages have as a server sees them: through the chat template, the
    /// opening of the reply included.
    pub fn count_chat(&self, messages: &[Message]) -> Result<usize, TokenizerError> {
        self.count(&self.render_chat(messages, true)?)
    }

    fn conversion(&self, error: &tokenizers::Error) -> TokenizerError {
        TokenizerError::Conversion { tokenizer: self.name.clone(), reason: one_line(&error.to_string()) }
    }
}

/// The file's text, or `None` if there is no such file.
fn read(file: &Path) -> Result<Option<String>, TokenizerError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TokenizerError::Unreadable {
            file: file.display().to_string(),
            reason: one_line(&error.to_string()),
        }),
    }
}

fn read_object(file: &Path) -> Result<Option<Map<String, Value>>, TokenizerError> {
    let Some(text) = read(file)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| TokenizerError::Unparsable {
        file: file.display().to_string(),
        reason: one_line(&error.to_string()),
    })
}

/// The members such as `bos_token` and what they say, be it a string or an object with `content`.
fn special_tokens(config: &Map<String, Value>) -> Vec<(String, String)> {
    config
        .iter()
        .filter(|(key, _)| key.ends_with("_token"))
        .filter_map(|(key, value)| {
            let token = value.as_str().or_else(|| value.get("content")?.as_str())?;
            Some((key.clone(), token.to_string()))
        })
        .collect()
}

/// The template itself, or of several the one named `default`, or else the first.
fn template_source(value: &Value) -> Option<String> {
    if let Some(source) = value.as_str() {
        return Some(source.to_string());
    }
    let named = value.as_array()?;
    let default = named.iter().find(|one| one.get("name").and_then(Value::as_str) == Some("default"));
    Some(default.or(named.first())?.get("template")?.as_str()?.to_string())
}

fn is_byte_fallback(token: &str) -> bool {
    token.starts_with("<0x") && token.ends_with('>')
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
