//! The server before the run: the whole URL of its endpoint, and a connection test, so that a wrong port
//! costs seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exit::{AppError, Exit};
use crate::api::{self, EndpointSpec};
use crate::clock::Clock;
use crate::config::{Config, redact_url};
use crate::contract::{Api, Failure, FailureKind, Message, Prompt, Transport, Turn, TurnInContext};
use crate::engine::{StopSignal, probe};
use crate::http::{HttpSpec, HttpTransport};
use crate::output::console::Console;

/// How long a server that cannot be reached is tried again: it may be about to listen.
const TRY_CONNECTING_FOR: Duration = Duration::from_secs(5);
/// How long a server that says it is not ready is tried again: it may be loading its model.
const TRY_LOADING_FOR: Duration = Duration::from_secs(120);
/// The longest that a single test request may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The rest between two tries.
const REST: Duration = Duration::from_millis(500);

/// Gives `config` the endpoint's whole URL, as the API has it, and tells of what is worth a note.
pub(super) fn complete_url(config: &mut Config, console: &Console) {
    let endpoint = api::endpoint(&EndpointSpec {
        api: &config.api.api,
        url: &config.connection.url,
        stream: config.api.stream,
        tokenize_prompt: config.prompt.tokenize_prompt,
    });
    if let Some(note) = endpoint.note {
        let note = config.secrets().iter().fold(note, |text, secret| text.replace(secret, "[redacted]"));
        console.print(&format!("note: {note}"));
    }
    config.connection.url = endpoint.url;
}

/// Sends one small request to each server and returns once all were answered well.
pub(super) fn test(
    config: &Config,
    api: &dyn Api,
    http: &HttpSpec,
    clock: Clock,
    stop: &StopSignal,
    console: &Console,
) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AppError::new(Exit::Failed, format!("the system refused an event loop: {error}")))?;
    let mut http = http.clone();
    http.connect_timeout = http.connect_timeout.or(Some(CONNECT_TIMEOUT));
    let transport = HttpTransport::new(&http, clock).map_err(|error| AppError::usage(error.to_string()))?;
    config
        .connection
        .targets()
        .iter()
        .try_for_each(|target| runtime.block_on(test_one(config, target, api, &transport, stop, console)))
}

async fn test_one(
    config: &Config,
    target: &str,
    api: &dyn Api,
    transport: &dyn Transport,
    stop: &StopSignal,
    console: &Console,
) -> Result<(), AppError> {
    let started = Instant::now();
    let mut told = false;
    loop {
        let outcome = try_once(config, target, api, transport, stop).await;
        let Err(failure) = outcome else { return Ok(()) };
        if stop.draining() {
            return Err(AppError::new(Exit::Interrupted, "stopped before the first request"));
        }
        let loading = ["HTTP 503", "HTTP 502"].iter().any(|status| failure.message.starts_with(status));
        let patience = match failure.kind {
            FailureKind::Connect => TRY_CONNECTING_FOR,
            FailureKind::HttpStatus if loading => TRY_LOADING_FOR,
            _ => Duration::ZERO,
        };
        if started.elapsed() + REST > patience {
            return Err(AppError::new(Exit::Unreachable, explain(config, target, &failure)));
        }
        if loading && !told {
            told = true;
            console.print(&format!("waiting for the server: {}", failure.message));
        }
        std::thread::sleep(REST);
    }
}

async fn try_once(
    config: &Config,
    target: &str,
    api: &dyn Api,
    transport: &dyn Transport,
    stop: &StopSignal,
) -> Result<(), Failure> {
    let prompt = match config.prompt.apply_chat_template {
        true => Prompt::Chat(vec![Message::text("user", "hello")]),
        false => Prompt::Text("hello".to_string()),
    };
    let turn = TurnInContext {
        request_id: "connection-test".to_string(),
        conversation_id: "connection-test".to_string(),
        turn_index: 0,
        history: Arc::new(Vec::new()),
        turn: Turn::from(prompt),
    };
    let mut drained = stop.clone();
    let target = (!config.connection.more_urls.is_empty()).then_some(target);
    tokio::select! {
        outcome = probe(api, transport, &turn, target, stop.abort_signal()) => outcome,
        () = drained.drained() => Err(Failure::new(FailureKind::Interrupted, "stopped")),
    }
}

/// One line: what happened at which URL, and what to look at.
fn explain(config: &Config, target: &str, failure: &Failure) -> String {
    let url = match &config.connection.more_urls[..] {
        [] => redact_url(&config.connection.url),
        _ => redact_url(target),
    };
    let secrets = config.secrets();
    let said =
        secrets.iter().fold(failure.message.clone(), |text, secret| text.replace(secret, "[redacted]"));
    let advice = match failure.kind {
        FailureKind::Connect | FailureKind::ConnectTimeout => "check --url and that the server is up",
        FailureKind::Tls => "check that --url should be https and that the server's certificate is valid",
        FailureKind::HttpStatus if said.starts_with("HTTP 401") || said.starts_with("HTTP 403") => {
            "check --api-key and --headers"
        }
        FailureKind::HttpStatus if said.starts_with("HTTP 404") => "check --url, --model and --api",
        FailureKind::HttpStatus if said.starts_with("HTTP 429") => {
            "the server limits requests; wait, or ask for a higher limit"
        }
        FailureKind::HttpStatus => "check --model, --api and the sampling flags, or the server's log",
        FailureKind::ReadTimeout | FailureKind::TotalTimeout => {
            "raise the timeout, or look at the server's load"
        }
        _ => "check that --api fits the server; --no-test-connection goes on regardless",
    };
    format!("the connection test at \"{url}\" failed ({}): {said}; {advice}", failure.kind)
}
