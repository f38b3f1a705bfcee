//! Token counts, and where each of them comes from.

/// Where the token counts of a record come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The server reported both.
    Server,
    /// Both were counted with the tokenizer.
    Tokenizer,
    /// The server reported one of them, the tokenizer counted the other.
    Mixed,
}

impl TokenSource {
    /// The name in the `token_source` column.
    pub fn name(self) -> &'static str {
        match self {
            TokenSource::Server => "server",
            TokenSource::Tokenizer => "tokenizer",
            TokenSource::Mixed => "server+tokenizer",
        }
    }

    /// The source that goes by `name`.
    pub fn from_name(name: &str) -> Option<TokenSource> {
        [TokenSource::Server, TokenSource::Tokenizer, TokenSource::Mixed]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

/// Token counts as they go into a record: each from the best source there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Tokens of the prompt.
    pub input: Option<u64>,
    /// Tokens generated, reasoning included.
    pub output: Option<u64>,
    /// Those of the output that were reasoning.
    pub reasoning: Option<u64>,
    /// Those of the input that came from the prefix cache.
    pub cached: Option<u64>,
    /// Where `cached` comes from; there if that is.
    pub cached_source: Option<CachedSource>,
    /// Where `input` and `output` come from.
    pub source: Option<TokenSource>,
}

/// Where a count of cached tokens comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachedSource {
    /// The server reported it.
    Server,
    /// The server is silent; it is what the server could have kept of the turn before.
    Estimated,
}

impl CachedSource {
    /// The name in the `cached_tokens_source` column.
    pub fn name(self) -> &'static str {
        match self {
            CachedSource::Server => "server",
            CachedSource::Estimated => "estimated",
        }
    }

    /// The source that goes by `name`.
    pub fn from_name(name: &str) -> Option<CachedSource> {
        [CachedSource::Server, CachedSource::Estimated].into_iter().find(|source| source.name() == name)
    }
}

impl TokenCounts {
    /// Cached tokens that the server reports; an estimate is none of them.
    pub fn reported_cached(&self) -> Option<u64> {
        self.cached.filter(|_| self.cached_source == Some(CachedSource::Server))
    }

    /// Tokens of the prompt and the answer, which are the context of the turn after this one.
    /// Reasoning is no part of it, since it is not sent back.
    pub fn context(&self) -> Option<u64> {
        let answer = self.output?.saturating_sub(self.reasoning.unwrap_or(0));
        Some(self.input?.saturating_add(answer))
    }
}
