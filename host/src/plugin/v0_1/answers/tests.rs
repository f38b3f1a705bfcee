use super::*;

fn out(frame: u32, text_bytes: u32) -> wit::OutputFrame {
    wit::OutputFrame { frame, kind: wit::OutputKind::Content, text_bytes, tokens: None }
}

fn said(outputs: Vec<wit::OutputFrame>, text: &str) -> wit::Outcome {
    let usage = wit::Usage {
        input_tokens: None,
        output_tokens: Some(2),
        reasoning_tokens: None,
        cached_tokens: None,
    };
    wit::Outcome {
        outputs,
        text: text.into(),
        usage,
        finish_reason: None,
        failure: Some(wit::Failure { kind: wit::FailureKind::Truncated, message: "a\nb".into() }),
        labels: vec![],
    }
}

#[test]
fn an_outcome_that_agrees_with_itself_is_taken_as_it_is() {
    let got = outcome(said(vec![out(0, 2), out(0, 0), out(2, 1)], "éa"), 3).unwrap();
    assert_eq!(
        got.outputs.iter().map(|o| (o.frame, o.text_bytes)).collect::<Vec<_>>(),
        [(0, 2), (0, 0), (2, 1)]
    );
    assert_eq!(got.usage.output_tokens, Some(2));
    assert_eq!(got.failure, Some(Failure::new(FailureKind::Truncated, "a")));
}

#[test]
fn an_outcome_that_contradicts_itself_is_not() {
    let refused = |outputs, text, frames| outcome(said(outputs, text), frames).unwrap_err();
    assert_eq!(refused(vec![out(3, 0)], "", 3), "it names frame 3 of a reply that has 3");
    assert_eq!(refused(vec![out(2, 0), out(1, 0)], "", 3), "it names frame 1 after frame 2");
    assert_eq!(refused(vec![out(0, 1)], "é", 3), "the text of frame 0 ends within a character");
    assert_eq!(refused(vec![out(0, 1)], "ab", 3), "its frames bring 1 bytes of text, and the text has 2");
    let many = vec![out(0, u32::MAX), out(0, u32::MAX)];
    assert_eq!(
        refused(many, "ab", 3),
        "its frames up to 0 bring 4294967295 bytes of text, and the text has 2"
    );
}

fn asks(method: &str, url: &str, header: (&str, &str)) -> Result<HttpRequest, String> {
    request(wit::HttpRequest {
        method: method.into(),
        url: url.into(),
        headers: vec![(header.0.into(), header.1.into())],
        body: vec![],
        framing: wit::Framing::Sse,
    })
}

#[test]
fn a_request_must_be_one_that_can_be_sent() {
    let json = ("Content-Type", "application/json");
    assert!(asks("POST", "https://host/v1", json).is_ok());
    assert_eq!(asks("", "http://h", json).unwrap_err(), "the method \"\" is not one of HTTP");
    assert_eq!(asks("GET /", "http://h", json).unwrap_err(), "the method \"GET /\" is not one of HTTP");
    assert_eq!(asks("GET", "", json).unwrap_err(), "the URL is empty");
    assert_eq!(
        asks("GET", "file:///x", json).unwrap_err(),
        "the URL \"file:///x\" is not one of http or https"
    );
    assert!(asks("GET", "http://h\r\nX: y", json).is_err());
    assert_eq!(asks("GET", "http://h", ("a b", "")).unwrap_err(), "\"a b\" cannot be the name of a header");
    assert_eq!(
        asks("GET", "http://h", ("x", "a\r\nb: c")).unwrap_err(),
        "the value of the header \"x\" has a control character"
    );
}

fn talk(id: Option<&str>, turns: usize) -> wit::Conversation {
    let turn = || wit::TurnResult {
        prompt: wit::PromptResult::Text("hi".into()),
        max_tokens: Some(4),
        think_time_ms: None,
        headers: vec![],
    };
    wit::Conversation {
        id: id.map(Into::into),
        turns: (0..turns).map(|_| turn()).collect(),
        arrival_ms: None,
        labels: vec![],
    }
}

#[test]
fn a_batch_is_no_larger_than_asked_for_and_every_conversation_has_turns() {
    assert_eq!(conversations(vec![talk(None, 2)], 1).unwrap()[0].turns.len(), 2);
    assert_eq!(conversations(vec![], 1).unwrap(), []);
    let refused = |batch, at_most| conversations(batch, at_most).unwrap_err();
    assert_eq!(
        refused(vec![talk(None, 1), talk(None, 1)], 1),
        "it gave 2 conversations when asked for at most 1"
    );
    assert_eq!(refused(vec![talk(Some("x"), 0)], 1), "conversation \"x\" has no turns");
    let mut late = talk(None, 1);
    late.arrival_ms = Some(f64::NAN);
    assert_eq!(
        refused(vec![talk(None, 1), late], 2),
        "conversation 1 of the batch arrives at NaN ms, which is no time"
    );
}

#[test]
fn a_plugin_is_named_so_that_tables_and_paths_can_hold_it() {
    assert_eq!(label("name", "my-api".into()).unwrap(), "my-api");
    assert_eq!(label("name", String::new()).unwrap_err(), "its name is empty");
    assert_eq!(label("name", "x".repeat(65)).unwrap_err(), "its name is longer than 64 characters");
    assert!(label("version", "../x".into()).is_err());
    assert!(label("version", "a\nb".into()).is_err());
}
