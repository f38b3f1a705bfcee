//! What an HTTP library's error means to a user: its kind, and one line.

use std::error::Error;
use std::io;

use crate::contract::{Failure, FailureKind};

/// The failure behind an error that came before the head of the reply.
pub(super) fn of_request(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_connect() {
        if error.is_timeout() {
            return Failure::new(FailureKind::ConnectTimeout, "no connection within --connect-timeout");
        }
        if concerns_tls(&error) {
            return Failure::new(FailureKind::Tls, format!("the TLS handshake failed: {}", root(&error)));
        }
        return Failure::new(FailureKind::Connect, format!("cannot connect: {}", root(&error)));
    }
    if error.is_timeout() {
        return Failure::new(FailureKind::ConnectTimeout, "no connection within --connect-timeout");
    }
    if error.is_builder() {
        return Failure::new(FailureKind::Shape, format!("the request cannot be built: {}", root(&error)));
    }
    of_connection(&error, "before it answered")
}

/// The failure behind an error that came while the body of the reply was read.
pub(super) fn of_body(error: &(dyn Error + 'static)) -> Failure {
    of_connection(error, "in the middle of the reply")
}

/// Whether the connection was at its end before a byte of the reply had come. Where it had been used
/// before, the server gave it up between two requests, as it may, and has not seen this one.
pub(super) fn is_unanswered(error: &reqwest::Error) -> bool {
    find_hyper(error).is_some_and(hyper::Error::is_incomplete_message)
}

fn of_connection(error: &(dyn Error + 'static), when: &str) -> Failure {
    let invalid = find_io(error).is_some_and(|io| io.kind() == io::ErrorKind::InvalidData);
    if invalid || find_hyper(error).is_some_and(hyper::Error::is_parse) {
        let message = format!("what the server sends is not valid HTTP: {}", root(error));
        return Failure::new(FailureKind::InvalidReply, message);
    }
    let message = format!("the server closed the connection {when}: {}", root(error));
    Failure::new(FailureKind::Truncated, message)
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
