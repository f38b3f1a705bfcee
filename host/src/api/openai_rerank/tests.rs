use std::sync::Arc;

use super::super::testing::{
    USUAL, api, body, counts, failure, given, parsed, text, turn, unsupported, whole,
};
use super::*;
use crate::contract::{Framing, Message};

#[test]
fn a_query_is_sent_with_documents() {
    let shaped = |parameters: &str, turn: &TurnInContext| body(api("rerank", parameters).shape(turn));
    insta::assert_snapshot!(shaped(USUAL, &text("q")), @r#"{"query":"q","documents":["A document that the query is compared with."],"model":"m"}"#);
    let chat = ["q", "a", "b"].map(|said| Message::text("user", said)).to_vec();
    insta::assert_snapshot!(shaped(USUAL, &turn(Prompt::Chat(chat))), @r#"{"query":"q","documents":["a","b"],"model":"m"}"#);
    insta::assert_snapshot!(shaped(r#"{"top_n":1,"stream":true}"#, &given(r#"{"query":"q","documents":["a"]}"#)), @r#"{"query":"q","documents":["a"],"model":"m","top_n":1}"#);
    let api = api(NAME, "{}");
    unsupported(api.as_ref(), &turn(Prompt::Tokens(vec![1])), "drop --tokenize-prompt");
    let later = TurnInContext { history: Arc::new(vec![Message::text("user", "a")]), ..text("q") };
    unsupported(api.as_ref(), &later, "choose a dataset of single turns");
}

#[test]
fn recorded_replies_and_what_counts_as_tokens() {
    let vllm = r#"{"id":"rerank-1","model":"m","usage":{"total_tokens":56},"results":[{"index":1,"document":{"text":"a"},"relevance_score":0.99},{"index":0,"document":{"text":"b"},"relevance_score":0.0003}]}"#;
    let got = whole(NAME, vllm);
    assert_eq!((counts(&got), got.failure), ([Some(56), None, None, None], None));
    assert_eq!(got.labels, [("results".to_string(), "2".to_string())]);
    let cohere = r#"{"id":"x","results":[{"index":0,"relevance_score":0.9}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}"#;
    let got = whole(NAME, cohere);
    assert_eq!(counts(&got), [None; 4], "search units are not tokens");
    assert_eq!(got.labels[0], ("search_units".to_string(), "1".to_string()));
    let dashscope = r#"{"output":{"results":[{"index":0,"relevance_score":0.9}]},"usage":{"total_tokens":79},"request_id":"r"}"#;
    assert_eq!(counts(&whole(NAME, dashscope))[0], Some(79));
    assert_eq!(whole(NAME, r#"[{"index":1,"score":0.99}]"#).failure, None);
}

#[test]
fn a_reply_without_results_is_a_failure() {
    let told = Some((FailureKind::EmptyReply, "the reply carried no results"));
    for body in ["", "{}", "7", "[]", "[1]", r#"{"results":[]}"#, r#"{"results":{}}"#] {
        assert_eq!(failure(&whole(NAME, body)), told, "{body}");
    }
    assert_eq!(failure(&whole(NAME, r#"{"error":"no"}"#)), Some((FailureKind::StreamError, "no")));
    assert_eq!(parsed(NAME, b"{\"res", Framing::Whole, false).failure, None);
}
