//! Ahead of need: conversations are drawn and shaped into requests before a slot asks for one, so
//! that neither a slow dataset nor a slow plugin is ever on the path of a send.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::schedule::{ArrivalSpec, Schedule};
use super::{CancelSpec, StageSpec};
use crate::contract::{
    Api, Conversation, Dataset, Failure, FailureKind, HttpRequest, Message, PartError, Prompt, Turn,
    TurnInContext,
};
use crate::record::RequestKey;
use crate::units::Nanos;

/// A request that only waits for its time.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) key: RequestKey,
    pub(super) turn: TurnInContext,
    /// The turns after this one.
    pub(super) rest: VecDeque<Turn>,
    pub(super) labels: Vec<(String, String)>,
    /// When it is due, relative to the start of its phase; `None` if it is when a slot takes it.
    pub(super) due: Option<Nanos>,
    /// Tokens of the context that the server has had already: none before the first turn, and those
    /// of the turn before this one and its answer, where both were counted.
    pub(super) seen_tokens: Option<u64>,
    /// How long a server that refused the attempt before asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// How long after it was sent it is given up on purpose.
    pub(super) cancel_after: Option<Duration>,
    /// What to send, or why that could not be made out.
    pub(super) request: Result<HttpRequest, Failure>,
}

/// Draws conversations, names them and shapes their turns.
pub(super) struct Preparer<'a> {
    dataset: &'a mut dyn Dataset,
    shaper: Shaper,
    drawn: VecDeque<Conversation>,
    next_id: &'a mut u64,
    recorded_arrivals: bool,
    cancel: Option<(CancelSpec, Xoshiro256PlusPlus)>,
}

/// Turns → requests. Cloned into whoever makes a conversation's next turn.
#[derive(Clone)]
pub(super) struct Shaper {
    pub(super) api: Arc<dyn Api>,
    pub(super) run_id: Arc<str>,
    pub(super) stage: Arc<str>,
    pub(super) api_name: Arc<str>,
    pub(super) dataset_name: Arc<str>,
    pub(super) model: Arc<str>,
    /// The servers that requests go to in turn; with one or none, requests go where the API says.
    pub(super) targets: Arc<[String]>,
}

/// Sets the draws about cancelling apart from the others that begin at the stage's seed.
const CANCEL_STREAM: u64 = 0x5ca1_ab1e;

/// How many conversations are asked for at a time: enough to make a plugin's call worth its cost.
const BATCH: usize = 16;

impl<'a> Preparer<'a> {
    pub(super) fn new(
        dataset: &'a mut dyn Dataset,
        api: Arc<dyn Api>,
        spec: &StageSpec,
        next_id: &'a mut u64,
    ) -> Preparer<'a> {
        let shaper = Shaper {
            run_id: spec.run_id.clone(),
            stage: spec.header.name.as_str().into(),
            api_name: api.name().into(),
            dataset_name: dataset.name().into(),
            model: spec.model.clone(),
            targets: spec.targets.clone(),
            api,
        };
        let random = Xoshiro256PlusPlus::seed_from_u64(spec.seed ^ CANCEL_STREAM);
        Preparer {
            dataset,
            shaper,
            drawn: VecDeque::new(),
            next_id,
            recorded_arrivals: spec.arrivals == ArrivalSpec::Recorded,
            cancel: spec.cancel.map(|cancel| (cancel, random)),
        }
    }

    pub(super) fn shaper(&self) -> Shaper {
        self.shaper.clone()
    }

    /// The next request of the stage; `remaining` says how many the stage still needs.
    pub(super) fn next(
        &mut self,
        warmup: bool,
        remaining: u64,
        schedule: &mut Schedule,
    ) -> Result<Box<Prepared>, PartError> {
        let conversation = self.draw(remaining)?;
        let number = *self.next_id;
        *self.next_id += 1;
        let arrival_ms = conversation.arrival_ms;
        let mut rest = VecDeque::from(conversation.turns);
        let Some(turn) = rest.pop_front() else {
            return Err(PartError::InvalidData(format!(
                "the dataset \"{}\" gave a conversation without turns; each needs at least one",
                self.shaper.dataset_name
            )));
        };
        let conversation_id = conversation.id.unwrap_or_else(|| number.to_string());
        let context = TurnInContext {
            request_id: format!("{}-{number}", self.shaper.run_id),
            conversation_id,
            turn_index: 0,
            history: Arc::new(Vec::new()),
            turn,
        };
        let mut prepared = self.shaper.prepare(context, rest, conversation.labels, warmup);
        prepared.due = if self.recorded_arrivals {
            let arrival_ms = arrival_ms.ok_or_else(|| {
                PartError::InvalidData(format!(
                    "the dataset \"{}\" does not say when its conversations arrive; give --rate",
                    self.shaper.dataset_name
                ))
            })?;
            Some(Nanos::from_ms(arrival_ms))
        } else {
            schedule.next_due()
        };
        prepared.cancel_after = self.cancel.as_mut().and_then(|(cancel, random)| {
            random.random_bool(cancel.rate.clamp(0.0, 1.0)).then_some(cancel.after)
        });
        Ok(prepared)
    }

    fn draw(&mut self, remaining: u64) -> Result<Conversation, PartError> {
        if self.drawn.is_empty() {
            let at_most = BATCH.min(usize::try_from(remaining).unwrap_or(BATCH)).max(1);
            let mut batch = self.dataset.next(at_most)?;
            if batch.is_empty() {
                self.dataset.rewind()?;
                batch = self.dataset.next(at_most)?;
            }
            self.drawn.extend(batch);
        }
        self.drawn.pop_front().ok_or_else(|| {
            PartError::InvalidData(format!(
                "the dataset \"{}\" is empty; give one with at least one item",
                self.shaper.dataset_name
            ))
        })
    }
}

impl Shaper {
    /// The request for one turn. A turn that cannot be shaped is a request that failed, not the
    /// end of the run.
    pub(super) fn prepare(
        &self,
        turn: TurnInContext,
        rest: VecDeque<Turn>,
        labels: Vec<(String, String)>,
        warmup: bool,
    ) -> Box<Prepared> {
        let mut labels = labels;
        let shaped = self.api.shape(&turn).map(|mut request| {
            if let Some(target) = self.target(&turn.conversation_id) {
                aim(&mut request, target);
                labels.retain(|(name, _)| name != "target");
                labels.push(("target".to_string(), target.to_string()));
            }
            with_context_headers(request, &turn)
        });
        let request = shaped.map_err(|error| {
            let kind = match error {
                PartError::Internal(_) => FailureKind::Plugin,
                _ => FailureKind::Shape,
            };
            Failure::new(kind, error.to_string())
        });
        let user_turns = turn.history.iter().filter(|message| message.role == "user").count() as u32;
        let key = RequestKey {
            run_id: self.run_id.clone(),
            stage: self.stage.clone(),
            request_id: turn.request_id.clone(),
            attempt: 1,
            conversation_id: turn.conversation_id.clone(),
            turn: turn.turn_index,
            conversation_turns: turn.turn_index + 1 + rest.len() as u32,
            input_turns: user_turns + 1,
            api: self.api_name.clone(),
            dataset: self.dataset_name.clone(),
            model: self.model.clone(),
            warmup,
        };
        Box::new(Prepared {
            key,
            turn,
            rest,
            labels,
            due: None,
            seen_tokens: Some(0),
            retry_after: None,
            cancel_after: None,
            request,
        })
    }

    /// Which of several servers a conversation goes to: always the same one, so that its cache helps.
    fn target(&self, conversation_id: &str) -> Option<&str> {
        if self.targets.len() < 2 {
            return None;
        }
        let number: u64 = conversation_id.parse().unwrap_or_else(|_| {
            conversation_id.bytes().fold(0, |hash, byte| hash * 31 % 0xffff_fffb + u64::from(byte))
        });
        self.targets.get((number % self.targets.len() as u64) as usize).map(String::as_str)
    }

    /// The next attempt at a request that failed, after the wait that the server asked for.
    pub(super) fn retry(&self, failed: Box<Prepared>, retry_after: Option<Duration>) -> Box<Prepared> {
        let mut again = failed;
        again.key.attempt += 1;
        again.due = None;
        again.retry_after = retry_after;
        again
    }

    /// The turn after `done`, with the server's `answer` in its history; the two have so many
    /// `tokens`, if that is known.
    pub(super) fn next_turn(
        &self,
        done: Box<Prepared>,
        answer: String,
        tokens: Option<u64>,
    ) -> Option<Box<Prepared>> {
        let Prepared { key, turn, mut rest, labels, .. } = *done;
        let next = rest.pop_front()?;
        let mut history = (*turn.history).clone();
        match turn.turn.prompt {
            Prompt::Chat(messages) => history.extend(messages),
            Prompt::Text(text) => history.push(Message::text("user", text)),
            Prompt::Tokens(_) | Prompt::Body(_) => {}
        }
        history.push(Message::text("assistant", answer));
        let turn_index = turn.turn_index + 1;
        let first_id = turn.request_id.split('.').next().unwrap_or_default();
        let context = TurnInContext {
            request_id: format!("{first_id}.{turn_index}"),
            conversation_id: turn.conversation_id,
            turn_index,
            history: Arc::new(history),
            turn: next,
        };
        let mut next = self.prepare(context, rest, labels, key.warmup);
        next.seen_tokens = tokens;
        Some(next)
    }
}

/// The request for a turn as a run would send it, before the run's own headers.
pub fn shape(api: &dyn Api, turn: &TurnInContext) -> Result<HttpRequest, PartError> {
    api.shape(turn).map(|request| with_context_headers(request, turn))
}

/// Sends the request to the server at `origin` (`http://host:port`) instead of the one it names.
pub(super) fn aim(request: &mut HttpRequest, origin: &str) {
    let Some((_, rest)) = request.url.split_once("://") else { return };
    let path = rest.find('/').map_or("", |slash| &rest[slash..]);
    request.url = format!("{origin}{path}");
}

/// Adds the turn's own headers, less those that concern a connection and not a request, and the
/// request's id.
fn with_context_headers(mut request: HttpRequest, turn: &TurnInContext) -> HttpRequest {
    const HOP_BY_HOP: [&str; 10] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "upgrade",
    ];
    let own = turn
        .turn
        .headers
        .iter()
        .filter(|(name, _)| !HOP_BY_HOP.contains(&name.to_ascii_lowercase().as_str()));
    request.headers.extend(own.cloned());
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-request-id")) {
        request.headers.push(("X-Request-ID".to_string(), turn.request_id.clone()));
    }
    request
}
