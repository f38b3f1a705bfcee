//! tickrate itself: the binary under test, in a process of its own, and the records that it writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tickrate::output::{recover, stored};
use tickrate::record::{RequestRecord, StageEnd};

use crate::BenchError;
use crate::launch::{self, Cores, Standing, Usage};
use crate::truth::Seen;

/// What every request asks, unless it is asked to be long.
const PROMPT: &str = "Say something that takes a while, one word at a time, and do not stop early.";

/// What every request of a load asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// A sentence.
    Short,
    /// So many words.
    Words(usize),
}

impl Prompt {
    /// Its text, in which nothing needs an escape in JSON.
    pub fn text(self) -> String {
        match self {
            Prompt::Short => PROMPT.to_string(),
            Prompt::Words(words) => PROMPT.split(' ').cycle().take(words).collect::<Vec<_>>().join(" "),
        }
    }
}

/// How much is asked of the server.
#[derive(Debug, Clone)]
pub struct Load {
    /// Requests in flight at a time.
    pub streams: usize,
    /// Requests in all.
    pub requests: u64,
    /// Tokens of each reply.
    pub max_tokens: u32,
    /// What each request asks.
    pub prompt: Prompt,
    /// A component to speak the API, instead of the built-in one.
    pub plugin: Option<PathBuf>,
    /// The binary under test.
    pub program: PathBuf,
    /// Further flags of `tickrate perf`.
    pub flags: Vec<String>,
}

/// What a run left.
pub struct Ran {
    pub records: Vec<RequestRecord>,
    /// The run's zero on the monotonic clock.
    pub origin_ns: i64,
    pub end: Option<StageEnd>,
    pub usage: Usage,
}

/// Runs `tickrate perf` against `url` and reads its records.
pub fn run(
    url: &str,
    load: &Load,
    cores: &Cores,
    standing: Standing,
    folder: &Path,
) -> Result<Ran, BenchError> {
    let outputs = folder.join("outputs");
    let _ = std::fs::remove_dir_all(&outputs);
    let mut arguments: Vec<OsString> = format!(
        "perf --model tickrate-sim --url {url}/v1/chat/completions --parallel {} --number {} --max-tokens {} \
         --no-timestamp --name run --log-every-n-query 0 --no-test-connection --outputs-dir",
        load.streams, load.requests, load.max_tokens
    )
    .split(' ')
    .map(OsString::from)
    .collect();
    arguments.push(outputs.clone().into());
    let prompt = folder.join("prompt.txt");
    std::fs::write(&prompt, load.prompt.text()).map_err(BenchError::system("write the prompt"))?;
    arguments.extend(["--prompt".into(), format!("@{}", prompt.display()).into()]);
    if let Some(plugin) = &load.plugin {
        arguments.extend(["--api".into(), plugin.clone().into()]);
    }
    arguments.extend(load.flags.iter().map(OsString::from));
    let usage = launch::measured(&load.program, &arguments, cores, standing, folder)?;
    let file = recover::find_records(&outputs).pop().ok_or(BenchError::Records)?;
    let stored = stored::read(&file).map_err(|_| BenchError::Records)?;
    let (origin_ns, end) = (stored.run.clock_origin_ns, stored.end);
    let records = stored.records.collect::<Result<Vec<_>, _>>().map_err(|_| BenchError::Records)?;
    Ok(Ran { records, origin_ns, end, usage })
}

impl Ran {
    /// What it reports of each request that succeeded.
    pub fn seen(&self) -> Vec<Seen> {
        self.records.iter().filter(|record| record.ok()).filter_map(|record| self.seen_in(record)).collect()
    }

    fn seen_in(&self, record: &RequestRecord) -> Option<Seen> {
        Some(Seen {
            request_id: record.key.request_id.clone(),
            sent_ns: record.sent?.0 + self.origin_ns,
            first_token_ns: record.first_token?.0 + self.origin_ns,
            ttft_ms: record.ttft_ms?,
            latency_ms: record.latency_ms?,
            itl_ms: record.itl_ms.clone(),
        })
    }

    /// The median of a figure over all requests that have it.
    pub fn median(&self, figure: impl Fn(&RequestRecord) -> Option<f64>) -> f64 {
        let mut values: Vec<f64> = self.records.iter().filter_map(figure).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
