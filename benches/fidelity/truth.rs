//! What the server did, against what a client says of it.
//!
//! All times are of the machine's monotonic clock, which the processes share. For each request:
//!
//! - The **error of TTFT** is the client's TTFT less the server's: first frame written − request
//!   arrived. It is the sum of the next two.
//! - The **lateness of the first token**: the client's stamp less the moment before the server wrote
//!   that frame. Nothing but the client, and the way through the kernel, is in it.
//! - The **way of the request**: the moment when the request had arrived, by the stamp of the server's kernel,
//!   less the one when the client says that it sent it. A client that stamps too early shows here. A server
//!   that has no time to read what has arrived does not: its user waits for that, as for the rest of its TTFT.
//! - The **error of an ITL** is one interval between two frames, client's less server's.
//! - The **error of latency** is the client's less the server's: last frame written − request arrived.
//!
//! Errors are taken without their sign.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::BenchError;

/// One request as the server knows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Served {
    request_id: Option<String>,
    /// When the request was there.
    pub arrived_ns: i64,
    /// The moment before each frame with output was written.
    pub frame_ns: Vec<i64>,
    /// Tokens of all frames.
    pub output_tokens: u64,
}

/// One request as a client reports it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The value of its `X-Request-ID`.
    pub request_id: String,
    /// When it was sent, on the monotonic clock.
    pub sent_ns: i64,
    /// When the first token was there, on the monotonic clock.
    pub first_token_ns: i64,
    /// Its TTFT.
    pub ttft_ms: f64,
    /// Its latency.
    pub latency_ms: f64,
    /// Its intervals.
    pub itl_ms: Vec<f64>,
}

/// All requests that a server answered, by their id.
pub type Truth = HashMap<String, Served>;

/// Reads the file that the simulator wrote.
pub fn read(path: &Path) -> Result<Truth, BenchError> {
    let file = std::fs::File::open(path).map_err(BenchError::system("open the ground truth"))?;
    let mut truth = Truth::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(BenchError::system("read the ground truth"))?;
        let served: Served = serde_json::from_str(&line).map_err(BenchError::Truth)?;
        if let Some(id) = served.request_id.clone() {
            truth.insert(id, served);
        }
    }
    Ok(truth)
}

/// The middle, the tail and the end of a distribution of errors, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// That of `values`, which are taken without their sign.
    pub fn of(mut values: Vec<f64>) -> Spread {
        for value in &mut values {
            *value = value.abs();
        }
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (values.len() as f64 * share).ceil() as usize;
            values.get(index.saturating_sub(1)).copied().unwrap_or(f64::NAN)
        };
        Spread { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// How far a client's figures are from the truth.
#[derive(Debug, Clone, Copy, Default)]
pub struct Errors {
    pub ttft: Spread,
    pub lateness: Spread,
    pub way: Spread,
    pub itl: Spread,
    pub latency: Spread,
    /// Requests that the server answered and the client does not report as they were: lost ones,
    /// and ones with another number of frames.
    pub wrong: usize,
}

/// Compares all requests.
pub fn compare(truth: &Truth, seen: &[Seen]) -> Errors {
    let (mut ttft, mut lateness, mut way) = (Vec::new(), Vec::new(), Vec::new());
    let (mut itl, mut latency) = (Vec::new(), Vec::new());
    for seen in seen {
        let Some(served) = truth.get(&seen.request_id) else { continue };
        let (Some(first), Some(last)) = (served.frame_ns.first(), served.frame_ns.last()) else { continue };
        if seen.itl_ms.len() + 1 != served.frame_ns.len() {
            continue;
        }
        ttft.push(seen.ttft_ms - ms(first - served.arrived_ns));
        lateness.push(ms(seen.first_token_ns - first));
        way.push(ms(served.arrived_ns - seen.sent_ns));
        latency.push(seen.latency_ms - ms(last - served.arrived_ns));
        let intervals = served.frame_ns.windows(2).map(|pair| ms(pair[1] - pair[0]));
        itl.extend(seen.itl_ms.iter().zip(intervals).map(|(seen, served)| seen - served));
    }
    Errors {
        wrong: truth.len() - ttft.len(),
        ttft: Spread::of(ttft),
        lateness: Spread::of(lateness),
        way: Spread::of(way),
        itl: Spread::of(itl),
        latency: Spread::of(latency),
    }
}

/// When the first request was there, in nanoseconds of the monotonic clock; `None` if there was none.
pub fn first_arrival_ns(truth: &Truth) -> Option<i64> {
    truth.values().map(|served| served.arrived_ns).min()
}

/// From the first request that came to the last token that left, in seconds.
pub fn elapsed_s(truth: &Truth) -> f64 {
    let first = first_arrival_ns(truth).unwrap_or(0);
    let last = truth.values().filter_map(|served| served.frame_ns.last()).max().copied().unwrap_or(0);
    ms(last - first) / 1e3
}

/// Tokens that left.
pub fn tokens(truth: &Truth) -> u64 {
    truth.values().map(|served| served.output_tokens).sum()
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
