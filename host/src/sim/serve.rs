//! What one connection is served: routes, refusals, and the faults that come before any answer.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;
use tokio::net::TcpStream;

use super::SimSpec;
use super::ask::Ask;
use super::faults::Fault;
use super::generate::Generation;
use super::http1::{BodyLength, Connection, ReadError, Request, write_head};
use super::pacer::Pacer;
use super::protocol::Dialect;
use super::scheduler::Scheduler;
use super::truth::{TruthRecord, TruthSink};

/// What all serving threads share.
pub(super) struct Shared {
    pub spec: SimSpec,
    pub scheduler: Scheduler,
    pub truth: TruthSink,
    pub requests: AtomicU64,
}

/// A serving thread's view: what is shared, and its own pacer.
pub(super) struct Worker {
    pub shared: std::sync::Arc<Shared>,
    pub pacer: Pacer,
}

/// Where a request goes.
enum Route {
    Generate(Dialect, Option<bool>),
    Models,
    Health,
    Metrics,
    WrongMethod,
    Unknown,
}

fn route(request: &Request) -> Route {
    let post = |dialect, stream| match request.method.as_str() {
        "POST" => Route::Generate(dialect, stream),
        _ => Route::WrongMethod,
    };
    let get = |route| if request.method == "GET" { route } else { Route::WrongMethod };
    match request.path.as_str() {
        "/v1/chat/completions" => post(Dialect::Chat, None),
        "/v1/completions" => post(Dialect::Completions, None),
        "/v1/responses" => post(Dialect::Responses, None),
        "/v1/embeddings" => post(Dialect::Embeddings, Some(false)),
        "/v1/rerank" | "/v1/reranks" => post(Dialect::Rerank, Some(false)),
        "/v1/messages" => post(Dialect::Anthropic, None),
        "/api/v1/services/aigc/text-generation/generation" => {
            post(Dialect::DashScope, Some(request.dashscope_sse))
        }
        "/api/chat" => post(Dialect::Ollama, None),
        "/generate_stream" => post(Dialect::Tgi, Some(true)),
        "/generate" => post(Dialect::Tgi, Some(false)),
        "/pebble/talk" => post(Dialect::Pebble, None),
        "/v1/models" => get(Route::Models),
        "/health" => get(Route::Health),
        "/metrics" => get(Route::Metrics),
        _ => Route::Unknown,
    }
}

/// A reply that is known as a whole.
struct Simple {
    status: u16,
    kind: &'static str,
    extra: &'static str,
    body: String,
}

impl Simple {
    fn json(status: u16, body: serde_json::Value) -> Simple {
        Simple { status, kind: "application/json", extra: "", body: body.to_string() }
    }

    fn error(status: u16, dialect: Option<Dialect>, message: &str) -> Simple {
        let kind = match status {
            401 => "authentication_error",
            404 | 405 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let body = match dialect {
            Some(Dialect::Ollama) => json!({ "error": message }),
            Some(Dialect::Anthropic) => {
                json!({ "type": "error", "error": { "type": kind, "message": message } })
            }
            Some(Dialect::DashScope) => json!({ "code": kind, "message": message, "request_id": "0" }),
            Some(Dialect::Tgi) => json!({ "error": message, "error_type": kind }),
            Some(Dialect::Pebble) => json!({ "fault": message }),
            _ => json!({ "error": { "message": message, "type": kind, "param": null, "code": status } }),
        };
        Simple::json(status, body)
    }
}

/// Serves a connection until either side closes it.
pub(super) async fn serve(worker: Rc<Worker>, stream: TcpStream) {
    let mut connection = Connection::new(stream, worker.shared.truth.is_kept());
    loop {
        let request = match connection.read_request().await {
            Ok(request) => request,
            Err(ReadError::Closed) => return,
            Err(ReadError::Refused(status, message)) => {
                let reply = Simple::error(status, None, message);
                if write_simple(&mut connection, &reply, true).await.is_ok() {
                    connection.close().await;
                }
                return;
            }
        };
        match answer(&worker, &mut connection, &request).await {
            Next::Keep if !request.closes => {}
            Next::Drop => return,
            Next::Keep | Next::Close => {
                connection.close().await;
                return;
            }
        }
    }
}

/// What becomes of a connection after a reply.
enum Next {
    Keep,
    Close,
    Drop,
}

async fn write_simple(connection: &mut Connection, reply: &Simple, closes: bool) -> std::io::Result<()> {
    let mut out = Vec::with_capacity(reply.body.len() + 256);
    let extra = format!("{}{}", reply.extra, if closes { "connection: close\r\n" } else { "" });
    write_head(&mut out, reply.status, reply.kind, BodyLength::Known(reply.body.len()), &extra);
    out.extend_from_slice(reply.body.as_bytes());
    connection.write(&out).await
}

async fn answer(worker: &Worker, connection: &mut Connection, request: &Request) -> Next {
    let shared = &*worker.shared;
    let route = route(request);
    if let (Route::Health | Route::Metrics, _) | (Route::Models, true) =
        (&route, is_authorised(shared, request))
    {
        let reply = match route {
            Route::Health => Simple::json(200, json!({ "status": "ok" })),
            Route::Metrics => metrics(shared),
            _ => models(shared),
        };
        return match write_simple(connection, &reply, request.closes).await {
            Ok(()) => Next::Keep,
            Err(_) => Next::Drop,
        };
    }
    let mut truth = TruthRecord::new(&shared.truth, request);
    let dialect = if let Route::Generate(dialect, _) = route { Some(dialect) } else { None };
    let refusal = if !is_authorised(shared, request) {
        Simple::error(401, dialect, "the Authorization header does not match the server's key")
    } else {
        match route {
            Route::Generate(dialect, stream) => {
                let hashed = shared.scheduler.has_cache();
                match Ask::read(dialect, stream, request.body(), hashed) {
                    Ok(ask) => return generate(worker, connection, request, dialect, &ask, &mut truth).await,
                    Err(message) => Simple::error(400, Some(dialect), &message),
                }
            }
            Route::WrongMethod => Simple::error(405, None, "this path has another method"),
            _ => Simple::error(404, None, &format!("no such path: {:?}", request.path)),
        }
    };
    refuse(connection, &refusal, request, &mut truth).await
}

async fn refuse(
    connection: &mut Connection,
    reply: &Simple,
    request: &Request,
    truth: &mut TruthRecord,
) -> Next {
    truth.line.status = Some(reply.status);
    match write_simple(connection, reply, request.closes).await {
        Ok(()) => Next::Keep,
        Err(_) => {
            truth.line.client_closed = true;
            Next::Drop
        }
    }
}

fn is_authorised(shared: &Shared, request: &Request) -> bool {
    let Some(key) = &shared.spec.api_key else { return true };
    let bearer = request.authorization.as_deref().and_then(|given| given.strip_prefix("Bearer "));
    bearer == Some(key) || request.api_key.as_ref() == Some(key)
}

fn models(shared: &Shared) -> Simple {
    let model = json!({ "id": shared.spec.model, "object": "model", "created": 0, "owned_by": "tickrate" });
    Simple::json(200, json!({ "object": "list", "data": [model] }))
}

/// What vLLM tells Prometheus of its queue, under the same names.
fn metrics(shared: &Shared) -> Simple {
    let (running, waiting) = shared.scheduler.load();
    let model = shared.spec.model.replace('\\', "\\\\").replace('"', "\\\"");
    let gauge = |name: &str, help: &str, value: u64| {
        format!(
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{engine=\"0\",model_name=\"{model}\"}} {value}.0\n"
        )
    };
    let body = gauge("vllm:num_requests_running", "Requests that generate.", running)
        + &gauge("vllm:num_requests_waiting", "Requests that wait for a slot.", waiting);
    Simple { status: 200, kind: "text/plain; version=0.0.4; charset=utf-8", extra: "", body }
}

async fn generate(
    worker: &Worker,
    connection: &mut Connection,
    request: &Request,
    dialect: Dialect,
    ask: &Ask,
    truth: &mut TruthRecord,
) -> Next {
    let shared = &*worker.shared;
    let id = shared.requests.fetch_add(1, Ordering::Relaxed);
    // Each request draws from a stream of its own, so that its neighbours cannot change it.
    let seed = shared.spec.seed.wrapping_add(id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let fault = match request.fault.as_ref().or(ask.fault.as_ref()) {
        Some(name) => match name.parse::<Fault>() {
            Ok(fault) => Some(fault),
            Err(error) => {
                let reply = Simple::error(400, Some(dialect), &error.to_string());
                return refuse(connection, &reply, request, truth).await;
            }
        },
        None => shared.spec.faults.iter().find(|share| rng.random::<f64>() < share.rate).map(|it| it.fault),
    };
    truth.line.fault = fault.map(Fault::name);
    if let Some(reply) = fault.and_then(|fault| early_reply(fault, dialect, request, ask.stream)) {
        return refuse(connection, &reply, request, truth).await;
    }
    match fault {
        Some(Fault::Hang) => {
            connection.closed().await;
            truth.line.client_closed = true;
            return Next::Drop;
        }
        Some(Fault::Reset) => {
            connection.reset_on_drop();
            return Next::Drop;
        }
        _ => {}
    }
    let mut generation = Generation {
        spec: &shared.spec,
        scheduler: &shared.scheduler,
        pacer: &worker.pacer,
        dialect,
        ask,
        fault,
        id,
        rng,
        extra_head: if request.closes { "connection: close\r\n" } else { "" },
    };
    match generation.run(connection, truth).await {
        Ok(true) => Next::Keep,
        Ok(false) => {
            truth.line.client_closed = fault == Some(Fault::Stall);
            Next::Close
        }
        Err(_) => {
            truth.line.client_closed = true;
            Next::Drop
        }
    }
}

/// The reply of a fault that comes instead of an answer.
fn early_reply(fault: Fault, dialect: Dialect, request: &Request, stream: bool) -> Option<Simple> {
    let error = |status, message| Some(Simple::error(status, Some(dialect), message));
    match fault {
        Fault::Http401 => error(401, "the key is not valid"),
        Fault::Http404 => error(404, "the model does not exist"),
        Fault::Http429 => {
            let reply = Simple::error(429, Some(dialect), "too many requests");
            Some(Simple { extra: "retry-after: 1\r\n", ..reply })
        }
        Fault::Http500Html => Some(Simple {
            status: 500,
            kind: "text/html; charset=utf-8",
            extra: "",
            body:
                "<html><head><title>500</title></head>\n<body><h1>Internal Server Error</h1></body></html>\n"
                    .to_string(),
        }),
        Fault::Http503 => error(503, "the engine is not ready"),
        Fault::EchoAuth => {
            let header = request.authorization.as_deref().unwrap_or("none");
            error(401, &format!("this Authorization is not valid: {header}"))
        }
        Fault::Empty => Some(Simple {
            status: 200,
            kind: match (stream, dialect) {
                (true, Dialect::Ollama) => "application/x-ndjson",
                (true, _) => "text/event-stream; charset=utf-8",
                (false, _) => "application/json",
            },
            extra: "",
            body: String::new(),
        }),
        _ => None,
    }
}
