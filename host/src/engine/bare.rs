//! The messages of a stream that carried no output. Nothing of ours is computed from them; they are
//! kept for the definitions that take them for output (`--compat evalscope`).

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::contract::framing::Framed;
use crate::contract::{BareFrame, Framing, Outcome};
use crate::units::Nanos;

/// When the messages without output came: those with a choice in them, and those without.
pub(super) fn bare_frames(outcome: &Outcome, framed: &Framed, framing: Framing) -> (Vec<Nanos>, Vec<Nanos>) {
    let found = if outcome.bare.is_empty() { found(outcome, framed, framing) } else { Vec::new() };
    let (mut choices, mut events) = (Vec::new(), Vec::new());
    for bare in outcome.bare.iter().chain(&found) {
        let Some(frame) = framed.frames.get(bare.frame as usize) else { continue };
        if bare.choice { &mut choices } else { &mut events }.push(frame.at);
    }
    (choices, events)
}

/// Those of a parser that notes none, as that of a component: the messages of JSON that it did not
/// take for output. A choice is an entry of `choices`, where there are such.
fn found(outcome: &Outcome, framed: &Framed, framing: Framing) -> Vec<BareFrame> {
    #[derive(Deserialize)]
    struct Message {
        choices: Option<Vec<IgnoredAny>>,
    }
    let mut out = Vec::new();
    if matches!(framing, Framing::Whole | Framing::Raw) {
        return out;
    }
    let mut outputs = outcome.outputs.iter().map(|output| output.frame).peekable();
    for (index, frame) in (0_u32..).zip(&framed.frames) {
        let mut carried = false;
        while outputs.next_if(|&output| output <= index).is_some() {
            carried = true;
        }
        let data = framed.payload.get(frame.range.clone()).unwrap_or_default();
        if !carried && let Ok(message) = serde_json::from_slice::<Message>(data) {
            let choice = message.choices.is_some_and(|choices| !choices.is_empty());
            out.push(BareFrame { frame: index, choice });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::framing::frames;
    use crate::contract::{Mark, OutputFrame, OutputKind};

    /// A role, a token, a finish reason, the usage, the end: what a component says only of the token.
    #[test]
    fn messages_that_a_component_does_not_mention_are_found() {
        let stream = [
            r#"{"choices":[{"delta":{"role":"assistant"}}]}"#,
            r#"{"choices":[{"delta":{"content":"A"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{}}"#,
            "[DONE]",
        ];
        let mut body = Vec::new();
        let mut marks = Vec::new();
        for (at, message) in (1..).zip(stream) {
            body.extend_from_slice(format!("data: {message}\n\n").as_bytes());
            marks.push(Mark { at: Nanos(at), end: body.len() });
        }
        let framed = frames(body, &marks, Framing::Sse);
        let token = OutputFrame { frame: 1, kind: OutputKind::Content, text_bytes: 1, tokens: None };
        let mut outcome = Outcome { outputs: vec![token], ..Outcome::default() };
        let expected = (vec![Nanos(1), Nanos(3)], vec![Nanos(4)]);
        assert_eq!(bare_frames(&outcome, &framed, Framing::Sse), expected);
        assert_eq!(bare_frames(&outcome, &framed, Framing::Whole), (Vec::new(), Vec::new()));
        // A parser that notes them is taken at its word.
        outcome.note_bare(3, false);
        assert_eq!(bare_frames(&outcome, &framed, Framing::Sse), (Vec::new(), vec![Nanos(4)]));
    }
}
