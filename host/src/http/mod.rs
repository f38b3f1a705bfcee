//! Requests over sockets. Plain `http://` is spoken directly, with nothing between the socket and the
//! stamp; `https://` and whatever goes through a proxy is left to reqwest. The choice is made for each
//! request by its URL and is nobody's to set.

mod direct;
mod failure;
mod library;
mod retry_after;
mod spec;
mod stamped;
mod watch;

use std::cell::OnceCell;

#[cfg(fuzzing)]
pub use direct::fuzzed;
pub use spec::{HttpSpec, ReadClock, TransportError};

use self::direct::Direct;
use self::library::Library;
use crate::clock::Clock;
use crate::contract::{
    AbortSignal, ExchangeFuture, Failure, FailureKind, Framing, HttpRequest, Timeline, Transport,
};

/// A [`Transport`] with connections of its own.
#[derive(Debug)]
pub struct HttpTransport {
    spec: HttpSpec,
    clock: Clock,
    direct: Direct,
    library: OnceCell<Library>,
}

impl HttpTransport {
    /// A transport as `spec` describes it, stamping with `clock`.
    pub fn new(spec: &HttpSpec, clock: Clock) -> Result<HttpTransport, TransportError> {
        let transport = HttpTransport {
            spec: spec.clone(),
            clock,
            direct: Direct::new(spec, clock)?,
            library: OnceCell::new(),
        };
        if spec.tls || spec.proxy {
            transport.library()?;
        }
        Ok(transport)
    }

    fn library(&self) -> Result<&Library, TransportError> {
        if let Some(library) = self.library.get() {
            return Ok(library);
        }
        let library = Library::new(&self.spec, self.clock)?;
        Ok(self.library.get_or_init(|| library))
    }
}

impl Transport for HttpTransport {
    fn exchange<'a>(&'a self, request: &'a HttpRequest, abort: AbortSignal) -> ExchangeFuture<'a> {
        let plain = request.url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
        if plain && !self.spec.proxy {
            return Box::pin(self.direct.run(request, abort));
        }
        match self.library() {
            Ok(library) => Box::pin(library.run(request, abort)),
            Err(error) => {
                let failure = Failure::new(FailureKind::Shape, error.to_string());
                let timeline = Timeline::unsent(self.clock.now(), failure);
                Box::pin(std::future::ready(timeline))
            }
        }
    }
}

/// A stream was asked for, and the server may still answer with one document: an error, or a whole
/// reply because it does not stream.
fn effective_framing(asked: Framing, status: Option<u16>, content_type: Option<&str>) -> Framing {
    let success = status.is_some_and(|status| (200..300).contains(&status));
    let one_document =
        content_type.is_some_and(|t| t.starts_with("application/json")) && asked == Framing::Sse;
    if success && !one_document { asked } else { Framing::Whole }
}

/// The failure of a reply that grew beyond the most that is read.
fn too_large(limit: usize) -> Failure {
    let message = format!("the reply is larger than {limit} bytes, which is the most that is read");
    Failure::new(FailureKind::TooLarge, message)
}

#[cfg(test)]
mod tests;
