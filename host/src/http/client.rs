//! The transport over reqwest.
//!
//! Between two stamps there is nothing but a copy of the bytes that came: no parsing, no counting,
//! no lock. Bytes are copied out at once, since a slice of the library's buffer would keep the
//! whole buffer alive.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::Future;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Once;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Body as _;
use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};

use super::failure;
use super::stamped::{SentStamp, StampedBody};
use crate::clock::Clock;
use crate::contract::{
    AbortSignal, Ending, ExchangeFuture, Failure, FailureKind, Framing, HttpRequest, Mark, Timeline,
    Transport,
};

/// How requests are carried.
#[derive(Debug, Clone)]
pub struct HttpSpec {
    /// The most time to open a connection.
    pub connect_timeout: Option<Duration>,
    /// The most time between two reads of a reply, and before its first.
    pub read_timeout: Option<Duration>,
    /// The most time for a whole exchange.
    pub total_timeout: Option<Duration>,
    /// The run's headers, secrets among them. They win over those of the API and of the dataset.
    pub headers: Vec<(String, String)>,
    /// The largest body of a reply that is read, in bytes.
    pub max_reply_bytes: usize,
    /// Whether there may be `https://` on the way. The system's certificates, some hundred files, are
    /// read only then.
    pub tls: bool,
}

impl HttpSpec {
    /// Whether TLS may be needed to reach `url`: for itself, or for a proxy that the environment names.
    pub fn needs_tls(url: &str) -> bool {
        let secure = |url: &str| !url.trim_start().to_ascii_lowercase().starts_with("http://");
        let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
        secure(url) || proxies.iter().filter_map(|name| std::env::var(name).ok()).any(|proxy| secure(&proxy))
    }
}

impl Default for HttpSpec {
    fn default() -> HttpSpec {
        HttpSpec {
            connect_timeout: None,
            read_timeout: None,
            total_timeout: None,
            headers: Vec::new(),
            max_reply_bytes: 256 << 20,
            tls: true,
        }
    }
}

/// Why a transport could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// A header is not one.
    #[error("the header \"{name}\" is not valid HTTP; correct its name or its value")]
    Header {
        /// The header's name; its value may be a secret.
        name: String,
    },
    /// The HTTP library refused.
    #[error("the HTTP client cannot be set up: {0}; check the proxy variables and the system's certificates")]
    Setup(String),
}

/// How many connections that were closed a moment ago a request may meet before it fails. The pool
/// takes out those that it knows of; only one that was just used can still be in it.
const MOST_CLOSED: usize = 8;

/// A [`Transport`] with a pool of connections of its own.
#[derive(Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    clock: Clock,
    headers: HeaderMap,
    read_timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    max_reply_bytes: usize,
    /// Local addresses of the connections that a reply has come over.
    seen: RefCell<HashSet<SocketAddr>>,
}

impl HttpTransport {
    /// A transport as `spec` describes it, stamping with `clock`.
    pub fn new(spec: &HttpSpec, clock: Clock) -> Result<HttpTransport, TransportError> {
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
        Ok(HttpTransport {
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

    async fn run(&self, request: HttpRequest, abort: AbortSignal) -> Timeline {
        let framing = request.framing;
        let handed = self.clock.now();
        let mut watch = Watch::new(abort, self.total_timeout, self.read_timeout);
        let mut timeline = Timeline::unsent(handed, Failure::new(FailureKind::Interrupted, ""));
        // A connection that was used before may turn out to be closed; then another one is taken.
        let mut tries_left = self.seen.borrow().len().min(MOST_CLOSED);
        let (head, sent) = loop {
            let (built, sent) = match self.build(&request) {
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
                let limit = self.max_reply_bytes;
                let message =
                    format!("the reply is larger than {limit} bytes, which is the most that is read");
                return Ending::Failed(Failure::new(FailureKind::TooLarge, message));
            }
            watch.note_read();
        }
    }
}

impl Transport for HttpTransport {
    fn exchange<'a>(&'a self, request: HttpRequest, abort: AbortSignal) -> ExchangeFuture<'a> {
        Box::pin(self.run(request, abort))
    }
}

/// Everything that can end an exchange from outside. It is polled only when there is nothing to
/// read, and its timers are moved only when they fire.
struct Watch {
    aborted: Pin<Box<dyn Future<Output = ()>>>,
    total: Option<Pin<Box<Sleep>>>,
    read: Option<(Duration, Pin<Box<Sleep>>)>,
    last_read: Instant,
}

impl Watch {
    fn new(mut abort: AbortSignal, total: Option<Duration>, read: Option<Duration>) -> Watch {
        let aborted = async move {
            // An error says that nobody is left who could abort.
            if abort.wait_for(|&abort| abort).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Watch {
            aborted: Box::pin(aborted),
            total: total.map(|limit| Box::pin(tokio::time::sleep(limit))),
            read: read.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))),
            last_read: Instant::now(),
        }
    }

    fn note_read(&mut self) {
        if self.read.is_some() {
            self.last_read = Instant::now();
        }
    }

    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let failed = |kind, message: &str| Poll::Ready(Failure::new(kind, message));
        if self.aborted.as_mut().poll(cx).is_ready() {
            return failed(FailureKind::Interrupted, "the run was stopped before the reply was complete");
        }
        if let Some(total) = &mut self.total
            && total.as_mut().poll(cx).is_ready()
        {
            return failed(FailureKind::TotalTimeout, "not finished within --total-timeout");
        }
        if let Some((limit, sleep)) = &mut self.read {
            while sleep.as_mut().poll(cx).is_ready() {
                let due = self.last_read + *limit;
                if Instant::now() >= due {
                    return failed(FailureKind::ReadTimeout, "nothing to read for --read-timeout");
                }
                sleep.as_mut().reset(due);
            }
        }
        Poll::Pending
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

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, TransportError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let bad = || TransportError::Header { name: name.clone() };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}
