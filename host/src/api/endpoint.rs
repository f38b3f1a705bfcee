//! Which URL a request goes to, when the one that was given may lack its end.

/// The endpoints of servers that speak OpenAI's dialects.
const KNOWN: [&str; 6] =
    ["/chat/completions", "/completions", "/responses", "/embeddings", "/reranks", "/rerank"];

/// A URL that requests can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL.
    pub url: String,
    /// What was changed about the URL that was given, if something was: one line, for a warning.
    pub note: Option<String>,
}

/// The endpoint that `--url` means for the API `openai`. A URL without an endpoint gets
/// `/chat/completions`, and `/v1` before it if it has no path at all. Token ids
/// (`--tokenize-prompt`) go to `/completions`. A query is left where it is.
pub fn endpoint(url: &str, tokenize_prompt: bool) -> Endpoint {
    let (path, query) = split(url);
    let trimmed = path.trim_end_matches('/');
    let mut notes = Vec::new();
    let mut target = if KNOWN.iter().any(|known| trimmed.ends_with(known)) {
        trimmed.to_string()
    } else {
        let rest = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
        let end = if rest.contains('/') { "/chat/completions" } else { "/v1/chat/completions" };
        notes.push(format!("URL \"{url}\" has no endpoint path, auto-appended \"{end}\""));
        format!("{trimmed}{end}")
    };
    if tokenize_prompt && let Some(base) = target.strip_suffix("/chat/completions") {
        target = format!("{base}/completions");
        notes.push(format!("--tokenize-prompt sends token ids, so requests go to \"{target}\""));
    }
    target.push_str(query);
    Endpoint { url: target, note: (!notes.is_empty()).then(|| notes.join("; ")) }
}

/// Whether the URL is one for chats: the default of `--apply-chat-template`.
pub fn is_chat(url: &str) -> bool {
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

    fn target(url: &str) -> String {
        endpoint(url, false).url
    }

    #[test]
    fn what_a_url_lacks_is_added_and_said() {
        assert_eq!(target("http://h:1"), "http://h:1/v1/chat/completions");
        assert_eq!(target("http://h:1/"), "http://h:1/v1/chat/completions");
        assert_eq!(target("http://h/v1"), "http://h/v1/chat/completions");
        assert_eq!(target("http://h/api/v3/"), "http://h/api/v3/chat/completions");
        assert_eq!(target("h:1"), "h:1/v1/chat/completions");
        assert_eq!(
            endpoint("http://h/v1", false).note.as_deref(),
            Some("URL \"http://h/v1\" has no endpoint path, auto-appended \"/chat/completions\"")
        );
    }

    #[test]
    fn a_complete_url_is_left_alone_and_its_query_kept() {
        for url in ["http://h/v1/chat/completions", "http://h/v1/completions", "http://h/v1/rerank"] {
            assert_eq!(endpoint(url, false), Endpoint { url: url.into(), note: None });
        }
        let azure = "https://h/d/chat/completions?api-version=1";
        assert_eq!(target(azure), azure);
        assert_eq!(target("http://h?a=b/completions"), "http://h/v1/chat/completions?a=b/completions");
    }

    #[test]
    fn token_ids_go_to_completions() {
        let to = endpoint("http://h/v1/chat/completions?a=b", true);
        assert_eq!(to.url, "http://h/v1/completions?a=b");
        assert!(to.note.is_some_and(|note| note.contains("--tokenize-prompt")));
        assert_eq!(endpoint("http://h/v1/completions", true).note, None);
        assert_eq!(endpoint("http://h", true).url, "http://h/v1/completions");
    }

    #[test]
    fn chat_and_completions_are_told_apart_by_the_path() {
        assert!(is_chat("http://h/v1/chat/completions/") && is_chat("http://h/chat/completions?x"));
        assert!(is_completions("http://h/v1/completions") && !is_completions("http://h/v1/chat/completions"));
        assert!(!is_chat("http://h/?u=/chat/completions"));
    }
}
