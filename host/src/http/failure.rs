//! What an HTTP library's error means to a user: its kind, and one line.

use std::error::Error;
use std::io;

use crate::contract::{CUT_SHORT, Failure, FailureKind};

/// The failure behind an error that came before the head of the reply.
pub(super) fn of_request(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_connect() {
        if error.is_timeout() {
            return connect_timeout();
        }
        if concerns_tls(&error) {
            return Failure::new(FailureKind::Tls, format!("the TLS handshake failed: {}", root(&error)));
        }
        return Failure::new(FailureKind::Connect, format!("cannot connect: {}", root(&error)));
    }
    if error.is_timeout() {
        return connect_timeout();
    }
    if error.is_builder() {
        return Failure::new(FailureKind::Shape, format!("the request cannot be built: {}", root(&error)));
    }
    of_connection(&error, BEFORE_REPLY)
}

/// The failure behind an error that came when a connection was opened.
pub(super) fn of_connect(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Connect, format!("cannot connect: {}", root(error)))
}

/// The failure of a connection that took too long to open.
pub(super) fn connect_timeout() -> Failure {
    Failure::new(FailureKind::ConnectTimeout, "no connection within --connect-timeout")
}

/// The failure of a connection that ended too early: before a reply, or in the middle of one.
pub(super) fn of_broken(error: Option<&io::Error>, in_reply: bool) -> Failure {
    let why = error.map_or_else(|| "it ended before the reply was complete".to_string(), |error| root(error));
    broken(if in_reply { IN_REPLY } else { BEFORE_REPLY }, &why)
}

/// The failure of bytes that are no HTTP.
pub(super) fn invalid_reply(what: &str) -> Failure {
    Failure::new(FailureKind::InvalidReply, format!("what the server sends is not valid HTTP: {what}"))
}

/// The failure behind an error that came while the body of the reply was read.
pub(super) fn of_body(error: &(dyn Error + 'static)) -> Failure {
    of_connection(error, IN_REPLY)
}

/// Whether the connection was at its end before a byte of the reply had come. Where it had been used
/// before, the server gave it up between two requests, as it may, and has not seen this one.
pub(super) fn is_unanswered(error: &reqwest::Error) -> bool {
    find_hyper(error).is_some_and(hyper::Error::is_incomplete_message)
}

fn of_connection(error: &(dyn Error + 'static), when: &str) -> Failure {
    let invalid = find_io(error)
        .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    if invalid || find_hyper(error).is_some_and(hyper::Error::is_parse) {
        return invalid_reply(&root(error));
    }
    broken(when, &root(error))
}

const BEFORE_REPLY: &str = "before it answered";
const IN_REPLY: &str = "in the middle of the reply";

fn broken(when: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Truncated, format!("{CUT_SHORT} {when}: {why}"))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn find_hyper<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a hyper::Error> {
    chain(error).find_map(|error| error.downcast_ref::<hyper::Error>())
}

fn find_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>())
}

/// Whether a TLS error is among the causes. An `io::Error` hides the one it wraps from its chain, and
/// they come wrapped in each other.
fn concerns_tls(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        error.is::<rustls::Error>() || wrapped.is_some_and(|inner| concerns_tls(inner))
    })
}

/// The text of the deepest cause, on one line.
fn root(error: &(dyn Error + 'static)) -> String {
    let deepest = chain(error).last().map(ToString::to_string).unwrap_or_default();
    deepest.split_whitespace().collect::<Vec<_>>().join(" ")
}
