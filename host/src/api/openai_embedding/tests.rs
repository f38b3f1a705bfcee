use std::sync::Arc;

use super::super::testing::{
    USUAL, api, body, config, counts, failure, given, parsed, text, turn, unsupported, whole,
};
use super::super::{ApiSpec, open};
use super::*;
use crate::contract::{Framing, Message};

#[test]
fn what_is_embedded_is_an_input_and_nothing_is_sampled() {
    let shaped = |turn: &TurnInContext| body(api("embedding", USUAL).shape(turn));
    let request = api(NAME, USUAL).shape(&text("hi")).unwrap();
    assert_eq!(request.framing, Framing::Whole);
    insta::assert_snapshot!(shaped(&text("hi")), @r#"{"input":"hi","model":"m"}"#);
    insta::assert_snapshot!(shaped(&turn(Prompt::Tokens(vec![1, 2]))), @r#"{"input":[1,2],"model":"m"}"#);
    let chat = vec![Message::text("system", "a"), Message::text("user", "b")];
    insta::assert_snapshot!(shaped(&turn(Prompt::Chat(chat))), @r#"{"input":"a\nb","model":"m"}"#);
    insta::assert_snapshot!(shaped(&given(r#"{"input":["a","b"],"model":"own"}"#)), @r#"{"input":["a","b"],"model":"own"}"#);
    let extra = r#"{"max_tokens":1,"temperature":0,"dimensions":8,"seed":4}"#;
    let spec = ApiSpec { extra_fields: vec!["dimensions".into(), "seed".into()], ..ApiSpec::default() };
    let api = open(NAME, &config(extra), &spec, None).unwrap();
    insta::assert_snapshot!(body(api.shape(&text("hi"))), @r#"{"input":"hi","model":"m","dimensions":8,"seed":4}"#);
    let later = TurnInContext { history: Arc::new(vec![Message::text("user", "a")]), ..text("hi") };
    unsupported(api.as_ref(), &later, "choose a dataset of single turns");
}

#[test]
fn a_recorded_reply() {
    let got = whole(
        NAME,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.0069,2.5e-3]},{"object":"embedding","index":1,"embedding":"AAAA"}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    );
    assert_eq!(counts(&got), [Some(8), None, None, None]);
    assert_eq!((got.failure, got.outputs.len()), (None, 0));
    assert_eq!(got.labels, [("embeddings".to_string(), "2".to_string())]);
    let total = r#"{"data":[{"embedding":[1]}],"usage":{"total_tokens":5}}"#;
    assert_eq!(counts(&whole(NAME, total))[0], Some(5));
    assert_eq!(counts(&whole(NAME, r#"{"data":[{"embedding":[1]}]}"#)), [None; 4]);
}

#[test]
fn a_reply_without_embeddings_is_a_failure() {
    let told = Some((FailureKind::EmptyReply, "the reply carried no embeddings"));
    for body in ["", "{}", "[]", r#"{"data":[]}"#, r#"{"data":[{"index":0}]}"#, r#"{"data":7}"#] {
        assert_eq!(failure(&whole(NAME, body)), told, "{body}");
    }
    assert_eq!(
        failure(&whole(NAME, r#"{"error":{"message":"no"}}"#)),
        Some((FailureKind::StreamError, "no"))
    );
    let cut = br#"{"data":[{"embedding":[1,"#;
    assert_eq!(
        failure(&parsed(NAME, cut, Framing::Whole, true)).map(|it| it.0),
        Some(FailureKind::InvalidReply)
    );
    assert_eq!(parsed(NAME, cut, Framing::Whole, false).failure, None);
}
