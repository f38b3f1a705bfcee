//! Tests with real components. They need the guests of `plugins/` and `tests/guests/`.

mod bounds;
mod refused;
mod shipped;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::contract::{Frame, Framing, Message, Prompt, Reply, TurnInContext};
use crate::units::Nanos;

/// A component from the folder that `tickrate plugin build plugins` fills.
pub(super) fn guest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("guests").join(format!("{name}.wasm"));
    assert!(path.exists(), "build the guests first: tickrate plugin build plugins (no {})", path.display());
    path
}

/// Time enough for all that ends, on a machine that is busy.
pub(super) fn runtime() -> Runtime {
    Runtime::new(LimitsSpec { call: Duration::from_secs(20), ..LimitsSpec::default() }).unwrap()
}

fn open(name: &str) -> Plugin {
    Plugin::open(&runtime(), &guest(name)).unwrap()
}

fn config(options: serde_json::Value) -> RunConfig {
    RunConfig {
        model: "m".into(),
        url: "http://h/v1/chat/completions".into(),
        stream: true,
        seed: 7,
        options: options.as_object().cloned().unwrap_or_default(),
        ..RunConfig::default()
    }
}

/// A reply of these frames, one every 10 ms.
fn with_reply<R>(frames: &[&str], call: impl FnOnce(&Reply<'_>) -> R) -> R {
    let mut payload = String::new();
    let mut marks = Vec::new();
    for (i, data) in frames.iter().enumerate() {
        let start = payload.len();
        payload.push_str(data);
        marks.push(Frame { at: Nanos(10_000_000 * i as i64), event: None, range: start..payload.len() });
    }
    call(&Reply {
        status: 200,
        content_type: Some("text/event-stream"),
        framing: Framing::Sse,
        complete: true,
        sent: Nanos::ZERO,
        payload: payload.as_bytes(),
        frames: &marks,
    })
}

fn turn(text: &str) -> TurnInContext {
    TurnInContext {
        request_id: "r-1".into(),
        conversation_id: "c-1".into(),
        turn_index: 0,
        history: Arc::new(vec![Message::text("assistant", "before")]),
        turn: Prompt::Text(text.into()).into(),
    }
}
