//! Exchanges over reqwest: TLS, proxies, and all that a library knows better.
//!
//! Between two stamps there is nothing but a copy of the bytes that came: no parsing, no counting,
//! no lock. Bytes are copied out at once, since a slice of the library's buffer would keep the
//! whole buffer alive.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;
use std::time::Duration;

use chrono::Utc;
use http_body::Body as _;
use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use super::spec::{HttpSpec, TransportError, header_map};
use super::stamped::{SentStamp, StampedBody};
use super::watch::Watch;
use super::{effective_framing, failure, retry_after, too_large};
use crate::clock::Clock;
use crate::contract::{AbortSignal, Ending, Failure, FailureKind, HttpRequest, Mark, Timeline};

/// How many connections that were closed a moment ago a request may meet before it fails. The pool
/// takes out those that it knows of; only one that was just used can still be in it.
const MOST_CLOSED: usize = 8;

/// Connections that reqwest opens, keeps and speaks over.
#[derive(Debug)]
pub(super) struct Library {
    client: reqwest::Client,
    clock: Clock,
    headers: HeaderMap,
    read_timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    max_reply_bytes: usize,
    /// Local addresses of the connections that a reply has come over.
    seen: RefCell<HashSet<SocketAddr>>,
}

impl Library {
    /// Connections as `spec` describes them, stamping with `clock`.
    pub(super) fn new(spec: &HttpSpec, clock: Clock) -> Result<Library, TransportError> {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| {
            // An error says that a provider is installed already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tickrate/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(usize::MAX)
            .pool_idle_timeout(Duration::from_secs(60));
        if let Some(timeout) = spec.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if !spec.tls {
            builder = builder.tls_certs_only([]);
        }
        let client =
            builder.build().map_err(|error| TransportError::Setup(error.without_url().to_string()))?;
        Ok(Library {
            client,
            clock,
            headers: header_map(&spec.headers)?,
            read_timeout: spec.read_timeout,
            total_timeout: spec.total_timeout,
            max_reply_bytes: spec.max_reply_bytes,
            seen: RefCell::new(HashSet::new()),
        })
    }

    fn build(&self, request: &HttpRequest) -> Result<(reqwest::Request, SentStamp), Failure> {
        let shape = |message: String| Failure::new(FailureKind::Shape, message);
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| shape(format!("\"{}\" is not an HTTP method", request.method)))?;
        let url = reqwest::Url::parse(&request.url)
            .map_err(|error| shape(format!("the URL cannot be used: {error}; correct --url")))?;
        let (body, sent) = StampedBody::new(request.body.clone(), self.clock);
        let mut headers = header_map(&request.headers).map_err(|error| shape(error.to_string()))?;
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        let mut out = reqwest::Request::new(method, url);
        *out.headers_mut() = headers;
        *out.body_mut() = Some(reqwest::Body::wrap(body));
        Ok((out, sent))
    }

    pub(super) async fn run(&self, request: &HttpRequest, abort: AbortSignal) -> Timeline {
        let framing = request.framing;
        let handed = self.clock.now();
        let mut watch = Watch::new(abort, self.total_timeout, self.read_timeout);
        let mut timeline = Timeline::unsent(handed, Failure::new(FailureKind::Interrupted, ""));
        // A connection that was used before may turn out to be closed; then another one is taken.
        let mut tries_left = self.seen.borrow().len().min(MOST_CLOSED);
        let (head, sent) = loop {
            let (built, sent) = match self.build(request) {
                Ok(built) => built,
                Err(failure) => return Timeline::unsent(handed, failure),
            };
            let mut again = false;
            let mut reply = pin!(self.client.execute(built));
            let head = poll_fn(|cx| match reply.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result.map_err(|error| {
                    again = tries_left > 0 && failure::is_unanswered(&error);
                    failure::of_request(error)
                })),
                Poll::Pending => watch.poll_failure(cx).map(Err),
            })
            .await;
            if !again {
                break (head, sent);
            }
            tries_left -= 1;
        };
        let now = self.clock.now();
        timeline.sent = sent.get();
        timeline.completed = now;
        let reply = match head {
            Ok(reply) => reply,
            Err(failure) => {
                timeline.ending = Ending::Failed(failure);
                return timeline;
            }
        };
        // A body without bytes is never asked for: the best known is when it was handed over.
        timeline.sent = timeline.sent.or(Some(handed));
        timeline.first_byte = Some(now);
        timeline.status = Some(reply.status().as_u16());
        timeline.content_type =
            reply.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_string);
        if reply.status().as_u16() >= 400 {
            let asked = reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            timeline.retry_after = asked.and_then(|asked| retry_after::parse(asked, Utc::now()));
        }
        timeline.framing = effective_framing(framing, timeline.status, timeline.content_type.as_deref());
        timeline.connection_reused = reply
            .extensions()
            .get::<HttpInfo>()
            .map(|info| !self.seen.borrow_mut().insert(info.local_addr()));
        timeline.ending = self.read_body(reply, watch, &mut timeline).await;
        timeline.completed = self.clock.now();
        // The connection's own task takes it back into the pool, before the next request looks there.
        tokio::task::yield_now().await;
        timeline
    }

    async fn read_body(&self, reply: reqwest::Response, mut watch: Watch, timeline: &mut Timeline) -> Ending {
        let mut body = pin!(http::Response::<reqwest::Body>::from(reply).into_body());
        loop {
            let read = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
                Poll::Ready(None) => Poll::Ready(Ok(None)),
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Ok(Some(frame))),
                Poll::Ready(Some(Err(error))) => Poll::Ready(Err(failure::of_body(&error))),
                Poll::Pending => watch.poll_failure(cx).map(Err),
            })
            .await;
            let at = self.clock.now();
            let data = match read {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_trailers) => continue,
                },
                Ok(None) => return Ending::Complete,
                Err(failure) => return Ending::Failed(failure),
            };
            timeline.body.extend_from_slice(&data);
            timeline.marks.push(Mark { at, end: timeline.body.len() });
            if timeline.body.len() > self.max_reply_bytes {
                return Ending::Failed(too_large(self.max_reply_bytes));
            }
            watch.note_read();
        }
    }
}
