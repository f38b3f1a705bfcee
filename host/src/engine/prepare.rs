//! Ahead of need: conversations are drawn and shaped into requests before a slot asks for one, so
//! that neither a slow dataset nor a slow plugin is ever on the path of a send.

use std::collections::VecDeque;
use std::sync::Arc;

use super::StageSpec;
use super::schedule::Schedule;
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
    /// What to send, or why that could not be made out.
    pub(super) request: Result<HttpRequest, Failure>,
}

/// Draws conversations, names them and shapes their turns.
pub(super) struct Preparer<'a> {
    dataset: &'a mut dyn Dataset,
    shaper: Shaper,
    drawn: VecDeque<Conversation>,
    next_id: &'a mut u64,
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
}

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
            api,
        };
        Preparer { dataset, shaper, drawn: VecDeque::new(), next_id }
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
    ) -> Result<Prepared, PartError> {
        let conversation = self.draw(remaining)?;
        let number = *self.next_id;
        *self.next_id += 1;
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
        prepared.due = schedule.next_due();
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
    ) -> Prepared {
        let request =
            self.api.shape(&turn).map(|request| with_context_headers(request, &turn)).map_err(|error| {
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
            input_turns: user_turns + 1,
            api: self.api_name.clone(),
            dataset: self.dataset_name.clone(),
            model: self.model.clone(),
            warmup,
        };
        Prepared { key, turn, rest, labels, due: None, request }
    }

    /// The turn after `done`, with the server's `answer` in its history.
    pub(super) fn next_turn(&self, done: Prepared, answer: String) -> Option<Prepared> {
        let Prepared { key, turn, mut rest, labels, .. } = done;
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
        Some(self.prepare(context, rest, labels, key.warmup))
    }
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
