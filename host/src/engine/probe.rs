//! One request outside of any stage: does the server answer, and is the answer understood?

use super::meaning::{Arrived, understand};
use super::prepare::aim;
use crate::contract::{AbortSignal, Api, Failure, FailureKind, Transport, TurnInContext};

/// Asks the server for `turn`, once; at `target` (`http://host:port`), if that is not where the API says.
/// An answer without output is good enough: what is asked for may be a single token that has no text.
pub async fn probe(
    api: &dyn Api,
    transport: &dyn Transport,
    turn: &TurnInContext,
    target: Option<&str>,
    abort: AbortSignal,
) -> Result<(), Failure> {
    let mut request = api.shape(turn).map_err(|error| Failure::new(FailureKind::Shape, error.to_string()))?;
    if let Some(target) = target {
        aim(&mut request, target);
    }
    let mut timeline = transport.exchange(&request, abort).await;
    let framed = timeline.take_frames();
    match understand(api, &Arrived::new(&timeline, &framed)).failure {
        Some(failure) if failure.kind != FailureKind::EmptyReply => Err(failure),
        _ => Ok(()),
    }
}
