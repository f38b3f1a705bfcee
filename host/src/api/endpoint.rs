//! Which URL a request goes to, when the one that was given may lack its end.

/// The ends of the URLs of all APIs; of two that end alike the longer one first.
const KNOWN: [&str; 12] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/reranks",
    "/rerank",
    "/reranking",
    "/messages",
    "/api/chat",
    "/generate_stream",
    "/generate",
    DASHSCOPE_PATH,
];

const DASHSCOPE_PATH: &str = "/api/v1/services/aigc/text-generation/generation";

/// Whether the requests of an API are chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chats {
    Always,
    Never,
    ByUrl,
}

/// Where servers have an API.
pub(super) struct Rule {
    /// What the path of a complete URL ends with.
    pub(super) ends: &'static [&'static str],
    /// What the paths of all OpenAI-like APIs of a server begin with, where this is one of them:
    /// left out behind a path that is not known.
    pub(super) base: &'static str,
    /// The rest of the path.
    pub(super) end: &'static str,
}

pub(super) const OPENAI: Rule = Rule {
    ends: &["/chat/completions", "/completions", "/responses", "/embeddings", "/reranks", "/rerank"],
    base: "/v1",
    end: "/chat/completions",
};
pub(super) const RESPONSES: Rule = Rule { ends: &["/responses"], base: "/v1", end: "/responses" };
pub(super) const EMBEDDING: Rule = Rule { ends: &["/embeddings"], base: "/v1", end: "/embeddings" };
pub(super) const RERANK: Rule =
    Rule { ends: &["/reranks", "/rerank", "/reranking"], base: "/v1", end: "/rerank" };
pub(super) const ANTHROPIC: Rule = Rule { ends: &["/messages"], base: "/v1", end: "/messages" };
pub(super) const OLLAMA: Rule = Rule { ends: &["/api/chat"], base: "", end: "/api/chat" };
pub(super) const TGI: Rule =
    Rule { ends: &["/generate_stream", "/generate"], base: "", end: "/generate_stream" };
pub(super) const DASHSCOPE: Rule =
    Rule { ends: &["/generation", "/completion"], base: "", end: DASHSCOPE_PATH };

/// A URL that requests can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL.
    pub url: String,
    /// What was changed about the URL that was given, if something was: one line, for a warning.
    pub note: Option<String>,
}

/// What decides about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointSpec<'a> {
    /// `--api`: a name or an alias of a built-in. The URL for anything else is taken as it is.
    pub api: &'a str,
    /// `--url`.
    pub url: &'a str,
    /// Whether replies are streamed: TGI has a path of its own for that.
    pub stream: bool,
    /// `--tokenize-prompt`: token ids go to `/completions`.
    pub tokenize_prompt: bool,
}

/// The endpoint that `--url` means for an API. A URL that ends as one of the API does is complete.
/// One that ends as another API's does gets this API's end instead; one without an endpoint gets it
/// appended, with `/v1` before it if it has no path at all. A query is left where it is.
pub fn endpoint(spec: &EndpointSpec<'_>) -> Endpoint {
    let Some(api) = super::find(spec.api) else {
        return Endpoint { url: spec.url.to_string(), note: None };
    };
    let (path, query) = split(spec.url);
    let mut target = path.trim_end_matches('/').to_string();
    let mut notes = Vec::new();
    if !api.endpoint.ends.iter().any(|end| target.ends_with(end)) {
        let (url, other) = (spec.url, KNOWN.iter().find_map(|end| target.strip_suffix(end)));
        let whole = completed(other.unwrap_or(&target), &api.endpoint);
        notes.push(match (other, whole.strip_prefix(&target)) {
            (None, Some(end)) => format!("URL \"{url}\" has no endpoint path, auto-appended \"{end}\""),
            _ => format!("URL \"{url}\" is not of the api \"{}\", so requests go to \"{whole}\"", api.name),
        });
        target = whole;
    }
    if api.name == "tgi" {
        let (from, to) = match spec.stream {
            true => ("/generate", "/generate_stream"),
            false => ("/generate_stream", "/generate"),
        };
        if let Some(base) = target.strip_suffix(from) {
            target = format!("{base}{to}");
            if notes.is_empty() {
                let flag = if spec.stream { "--stream" } else { "--no-stream" };
                notes.push(format!("{flag} is served at \"{to}\", so requests go to \"{target}\""));
            }
        }
    }
    if api.name == "openai"
        && spec.tokenize_prompt
        && let Some(base) = target.strip_suffix("/chat/completions")
    {
        target = format!("{base}/completions");
        notes.push(format!("--tokenize-prompt sends token ids, so requests go to \"{target}\""));
    }
    target.push_str(query);
    Endpoint { url: target, note: (!notes.is_empty()).then(|| notes.join("; ")) }
}

/// The URL with the API's end behind it; what it has of that end already is not repeated.
fn completed(url: &str, rule: &Rule) -> String {
    let end = format!("{}{}", rule.base, rule.end);
    let without_end = |url: &str| -> Option<String> {
        let begun = end.rmatch_indices('/').map(|(at, _)| end.split_at(at));
        let mut begun = begun.filter(|(begin, _)| !begin.is_empty() && path_of(url).ends_with(begin));
        begun.next().map(|(_, rest)| format!("{url}{rest}"))
    };
    if let Some(whole) = without_end(url) {
        return whole;
    }
    if !rule.base.is_empty() {
        let end = if path_of(url).is_empty() { &end } else { rule.end };
        return format!("{url}{end}");
    }
    // An API of a server's own is beside its OpenAI-like ones, not below them.
    let beside = url.strip_suffix("/v1").map(|url| url.strip_suffix("/compatible-mode").unwrap_or(url));
    format!("{}{end}", beside.unwrap_or(url))
}

/// The path of a URL without a query: empty, or from its first slash on.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// The default of `--apply-chat-template`: whether requests to an API are chats. Those of `openai`
/// are where they go to a chat endpoint, and so are those of an API that is not built in.
pub fn takes_chats(spec: &EndpointSpec<'_>) -> bool {
    match super::find(spec.api).map(|api| api.chats) {
        Some(Chats::Always) => true,
        Some(Chats::Never) => false,
        Some(Chats::ByUrl) | None => {
            is_chat(&endpoint(&EndpointSpec { tokenize_prompt: false, ..*spec }).url)
        }
    }
}

/// Whether the URL is one for chats.
fn is_chat(url: &str) -> bool {
    split(url).0.trim_end_matches('/').ends_with("/chat/completions")
}

/// Whether the URL is one for plain prompts.
pub(super) fn is_completions(url: &str) -> bool {
    !is_chat(url) && split(url).0.trim_end_matches('/').ends_with("/completions")
}

/// The URL up to its query, and the query with its question mark.
fn split(url: &str) -> (&str, &str) {
    url.split_at(url.find(['?', '#']).unwrap_or(url.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(api: &str, url: &str) -> Endpoint {
        endpoint(&EndpointSpec { api, url, stream: true, tokenize_prompt: false })
    }

    fn target(url: &str) -> String {
        of("openai", url).url
    }

    fn ids(url: &str) -> Endpoint {
        endpoint(&EndpointSpec { api: "openai", url, stream: true, tokenize_prompt: true })
    }

    #[test]
    fn what_a_url_lacks_is_added_and_said() {
        assert_eq!(target("http://h:1"), "http://h:1/v1/chat/completions");
        assert_eq!(target("http://h:1/"), "http://h:1/v1/chat/completions");
        assert_eq!(target("http://h/v1"), "http://h/v1/chat/completions");
        assert_eq!(target("http://h/api/v3/"), "http://h/api/v3/chat/completions");
        assert_eq!(target("h:1"), "h:1/v1/chat/completions");
        assert_eq!(
            of("openai", "http://h/v1").note.as_deref(),
            Some("URL \"http://h/v1\" has no endpoint path, auto-appended \"/chat/completions\"")
        );
    }

    #[test]
    fn a_complete_url_is_left_alone_and_its_query_kept() {
        for url in ["http://h/v1/chat/completions", "http://h/v1/completions", "http://h/v1/rerank"] {
            assert_eq!(of("openai", url), Endpoint { url: url.into(), note: None });
        }
        let azure = "https://h/d/chat/completions?api-version=1";
        assert_eq!(target(azure), azure);
        assert_eq!(target("http://h?a=b/completions"), "http://h/v1/chat/completions?a=b/completions");
    }

    #[test]
    fn token_ids_go_to_completions() {
        let to = ids("http://h/v1/chat/completions?a=b");
        assert_eq!(to.url, "http://h/v1/completions?a=b");
        assert!(to.note.is_some_and(|note| note.contains("--tokenize-prompt")));
        assert_eq!(ids("http://h/v1/completions").note, None);
        assert_eq!(ids("http://h").url, "http://h/v1/completions");
    }

    #[test]
    fn chat_and_completions_are_told_apart_by_the_path() {
        assert!(is_chat("http://h/v1/chat/completions/") && is_chat("http://h/chat/completions?x"));
        assert!(is_completions("http://h/v1/completions") && !is_completions("http://h/v1/chat/completions"));
        assert!(!is_chat("http://h/?u=/chat/completions"));
    }

    #[test]
    fn every_api_has_its_own_end() {
        for (api, url, whole) in [
            ("openai_responses", "http://h:1", "http://h:1/v1/responses"),
            ("responses", "http://h/v1/chat/completions", "http://h/v1/responses"),
            ("openai_responses", "http://h/proxy", "http://h/proxy/responses"),
            ("openai_embedding", "http://h/v1", "http://h/v1/embeddings"),
            ("embedding", "http://h/api/chat", "http://h/v1/embeddings"),
            ("rerank", "http://h", "http://h/v1/rerank"),
            ("openai_rerank", "http://h/v2/rerank", "http://h/v2/rerank"),
            ("openai_rerank", "http://h/compatible-api/v1/reranks", "http://h/compatible-api/v1/reranks"),
            ("anthropic", "http://h/v1/chat/completions?x=1", "http://h/v1/messages?x=1"),
            ("anthropic", "http://h/anthropic", "http://h/anthropic/messages"),
            ("ollama", "http://h:11434", "http://h:11434/api/chat"),
            ("ollama", "http://api", "http://api/api/chat"),
            ("ollama", "http://h:11434/api/", "http://h:11434/api/chat"),
            ("ollama", "http://h:11434/v1/chat/completions", "http://h:11434/api/chat"),
            ("tgi", "http://h/v1", "http://h/generate_stream"),
            ("tgi", "http://h/model", "http://h/model/generate_stream"),
            ("dashscope", "https://h/api/v1", "https://h/api/v1/services/aigc/text-generation/generation"),
            (
                "dashscope",
                "https://h/compatible-mode/v1/chat/completions",
                "https://h/api/v1/services/aigc/text-generation/generation",
            ),
            ("dashscope", "https://h/api/v1/apps/a1/completion", "https://h/api/v1/apps/a1/completion"),
            ("x.wasm", "http://h", "http://h"),
        ] {
            let to = of(api, url);
            assert_eq!(to.url, whole, "{api}");
            assert_eq!(to.note.is_some(), url != whole, "{api} {url}");
        }
        assert_eq!(
            of("anthropic", "http://h/v1/chat/completions").note.as_deref(),
            Some(
                "URL \"http://h/v1/chat/completions\" is not of the api \"anthropic\", so requests go to \"http://h/v1/messages\""
            )
        );
    }

    #[test]
    fn tgi_streams_and_does_not_at_different_paths() {
        let unstreamed =
            |url| endpoint(&EndpointSpec { api: "tgi", url, stream: false, tokenize_prompt: false });
        assert_eq!(unstreamed("http://h").url, "http://h/generate");
        assert_eq!(unstreamed("http://h/generate"), Endpoint { url: "http://h/generate".into(), note: None });
        assert_eq!(
            unstreamed("http://h/generate_stream").note.as_deref(),
            Some("--no-stream is served at \"/generate\", so requests go to \"http://h/generate\"")
        );
        assert_eq!(of("tgi", "http://h/generate").url, "http://h/generate_stream");
    }

    #[test]
    fn an_api_decides_whether_its_requests_are_chats() {
        let chats = |api, url| takes_chats(&EndpointSpec { api, url, stream: true, tokenize_prompt: true });
        assert!(chats("openai", "http://h") && chats("anthropic", "http://h/v1/completions"));
        assert!(!chats("openai", "http://h/v1/completions") && !chats("rerank", "http://h/chat/completions"));
        assert!(chats("x.wasm", "http://h/chat/completions") && !chats("x.wasm", "http://h"));
    }
}
