//! The typed description of a run: built once, checked once, read by whoever composes the parts.

mod connection;
mod gates;
mod load;
mod otlp;
mod secret;
mod sla;
mod visualizer;
mod watch;

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::takes_token_ids;
use crate::dataset::ImageSpec;
use crate::http::{HttpSpec, ReadClock};
use crate::output::export::Format;
use crate::plugin::Grant;
use crate::tune::SlaSpec;

pub use connection::ConnectionConfig;
pub use gates::GateConfig;
pub use load::{Arrival, CANCEL_AFTER_S, LoadConfig, RateChange, StageLoad, Warmup};
pub use otlp::OtlpConfig;
pub use secret::{Header, redact_options, redact_url, secret_texts, secrets_of_options};
pub use visualizer::{VisualizerConfig, VisualizerKind};
pub use watch::WatchConfig;

/// Something wrong with a configuration: which flag, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The flag as the user writes it: `--parallel`.
    pub flag: &'static str,
    /// What is wrong with it and what to do, in one line.
    pub message: String,
}

impl Problem {
    /// A problem with `flag`.
    pub fn new(flag: &'static str, message: impl Into<String>) -> Problem {
        Problem { flag, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.flag, self.message)
    }
}

/// Where the files of datasets and tokenizers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum DataSource {
    /// The hub at modelscope.cn.
    ModelScope,
    /// The hub at huggingface.co.
    HuggingFace,
    /// Only this machine.
    Local,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptConfig {
    /// A built-in dataset or a `.wasm` file.
    pub dataset: String,
    /// Its file or folder.
    pub dataset_path: Option<PathBuf>,
    /// Where files that are not given are downloaded from; `None` for the baseline's choice.
    pub data_source: Option<DataSource>,
    /// The dataset's own options.
    #[serde(serialize_with = "secret::serialize_options")]
    pub dataset_args: Map<String, Value>,
    /// One prompt for all requests, instead of a dataset.
    pub prompt: Option<String>,
    /// Shortest prompt, in tokens with a tokenizer, else in characters.
    pub min_prompt_length: u64,
    /// Longest prompt, likewise.
    pub max_prompt_length: u64,
    /// Tokens that all random prompts begin with.
    pub prefix_length: u64,
    /// Whether prompts are sent as chats.
    pub apply_chat_template: bool,
    /// Whether prompts are sent as token ids.
    pub tokenize_prompt: bool,
    /// The dataset's item to begin with, from 0.
    pub dataset_offset: u64,
    /// Whether conversations are sent.
    pub multi_turn: bool,
    /// Fewest turns of a conversation that is made up.
    pub min_turns: u32,
    /// Most turns of a conversation.
    pub max_turns: Option<u32>,
    /// The pictures of random prompts with pictures.
    pub images: ImageSpec,
}

/// What shapes a run's requests besides the prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiConfig {
    /// A built-in API or a `.wasm` file.
    pub api: String,
    /// The API's own options.
    #[serde(serialize_with = "secret::serialize_options")]
    pub api_args: Map<String, Value>,
    /// The body that requests start from.
    pub query_template: Option<Map<String, Value>>,
    /// The most tokens to generate: every request's, or drawn from this range for each.
    pub max_tokens: (u32, u32),
    /// Whether replies are streamed.
    pub stream: bool,
    /// Sampling parameters and extra fields under their names on the wire, in the order they are sent.
    #[serde(serialize_with = "secret::serialize_options")]
    pub parameters: Map<String, Value>,
    /// The names among `parameters` that `--extra-args` gave.
    pub extra_fields: Vec<String>,
}

/// Bounds for plugins, and what they may use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginConfig {
    /// The most time for one call that shapes or parses, in seconds; ten times that for others.
    pub timeout_s: f64,
    /// The most memory for one instance, in MiB.
    pub memory_mib: u64,
    /// Folders, variables and servers that they may use.
    pub allow: Vec<Grant>,
}

/// A tool that defines some figures otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// `evalscope perf`.
    Evalscope,
}

/// Where results go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputConfig {
    /// The folder that runs are collected in.
    pub outputs_dir: PathBuf,
    /// The run's name; the model's if there is none.
    pub name: Option<String>,
    /// Whether the run's folder is below one named for the time.
    pub timestamp: bool,
    /// Whether prompts and outputs go into the records.
    pub save_text: bool,
    /// Whether the frames of replies are kept beside the records.
    pub save_frames: bool,
    /// Another tool, by whose definitions the figures are shown as well.
    pub compat: Option<Compat>,
    /// A line in the log every so many requests; 0 for none.
    pub log_every_n_query: u64,
    /// Whether each request is printed.
    pub debug: bool,
    /// Where the run is shown besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visualizer: Option<VisualizerConfig>,
    /// Formats of the records beside Parquet.
    pub formats: Vec<Format>,
    /// The length of the intervals of a stage's timeline, in seconds.
    pub timeline_interval_s: f64,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// The model's name as the server knows it.
    pub model: String,
    /// A tokenizer's folder or file.
    pub tokenizer_path: Option<PathBuf>,
    /// Where all random choices begin.
    pub seed: u64,
    /// How much load.
    pub load: LoadConfig,
    /// The search that takes the place of the stages, if there is one.
    pub sla: Option<SlaSpec>,
    /// How to reach the server.
    pub connection: ConnectionConfig,
    /// What is asked.
    pub prompt: PromptConfig,
    /// How it is asked.
    pub api: ApiConfig,
    /// Bounds for plugins.
    pub plugins: PluginConfig,
    /// Where results go.
    pub output: OutputConfig,
    /// What fails the run though everything was measured.
    pub gates: GateConfig,
    /// How it can be watched.
    pub watch: WatchConfig,
}

impl Config {
    /// Everything that is wrong with the configuration, all at once; empty if it is sound. It looks
    /// at nothing outside: whether files exist and servers answer is found out by opening them.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.sla.is_none() {
            self.load.stage_problems(&mut problems);
        }
        self.load.problems(&mut problems);
        self.watch.problems(&mut problems);
        let mut wrong = |flag, message: String| problems.push(Problem::new(flag, message));
        for (flag, seconds) in [
            ("--duration", self.load.duration_s),
            ("--cancel-after", Some(self.load.cancel_after_s)),
            ("--connect-timeout", self.connection.connect_timeout_s),
            ("--read-timeout", self.connection.read_timeout_s),
            ("--total-timeout", Some(self.connection.total_timeout_s)),
            ("--plugin-timeout", Some(self.plugins.timeout_s)),
            ("--timeline-interval", Some(self.output.timeline_interval_s)),
        ] {
            if let Some(seconds) = seconds
                && !(seconds > 0.0 && seconds <= 1e9)
            {
                wrong(flag, format!("must be more than 0 seconds, but got {seconds}"));
            }
        }
        if let Some(sla) = &self.sla {
            sla::problems(sla, &mut wrong);
        }
        if self.model.is_empty() && self.prompt.dataset != "workload_trace" {
            wrong("--model", "is required: the model's name as the server knows it".into());
        }
        self.connection.problems(&mut wrong);
        if self.connection.clock == ReadClock::Kernel {
            let mut urls = std::iter::once(&self.connection.url).chain(&self.connection.more_urls);
            if urls.any(|url| HttpSpec::needs_tls(url)) || HttpSpec::behind_proxy() {
                let message = "\"kernel\" works for http:// without a proxy; leave the flag out";
                wrong("--clock", message.into());
            }
        }
        let (least, most) = self.api.max_tokens;
        if least > most {
            wrong("--max-tokens", format!("range min must be <= max, got {least} {most}"));
        }
        if self.prompt.min_prompt_length > self.prompt.max_prompt_length {
            let (least, most) = (self.prompt.min_prompt_length, self.prompt.max_prompt_length);
            wrong(
                "--min-prompt-length",
                format!("must not be above --max-prompt-length, but {least} > {most}"),
            );
        }
        if self.prompt.min_turns == 0 {
            wrong("--min-turns", "must be at least 1".into());
        }
        if let Some(most) = self.prompt.max_turns
            && most < self.prompt.min_turns
        {
            let least = self.prompt.min_turns;
            wrong("--max-turns", format!("({most}) must be >= --min-turns ({least}); raise it"));
        }
        if self.prompt.images.patch_size == 0 {
            wrong("--image-patch-size", "must be at least 1 pixel".into());
        }
        if self.prompt.tokenize_prompt && self.tokenizer_path.is_none() {
            wrong("--tokenizer-path", "is required when --tokenize-prompt is set".into());
        }
        if self.prompt.tokenize_prompt && !takes_token_ids(&self.api.api) {
            let api = &self.api.api;
            wrong("--tokenize-prompt", format!("is not supported with the api \"{api}\"; leave it out"));
        }
        let mut seen = HashSet::new();
        for header in &self.connection.headers {
            if !seen.insert(header.name().to_ascii_lowercase()) {
                wrong("--headers", format!("the header \"{}\" is given twice; keep one", header.name()));
            }
        }
        problems
    }
}

impl Config {
    /// The texts that must not appear in anything that the run writes; the longer ones first.
    pub fn secrets(&self) -> Vec<String> {
        let options = [&self.api.api_args, &self.api.parameters, &self.prompt.dataset_args];
        let mut secrets = secret_texts(&self.connection.headers, &self.connection.url, &options);
        let granted = self.plugins.allow.iter().filter_map(|grant| match grant {
            Grant::Env(name) => secret::secret_variable(name),
            _ => None,
        });
        secrets.extend(granted);
        secrets.extend(self.output.visualizer.iter().flat_map(VisualizerConfig::secrets));
        let url = self.watch.server_metrics.as_deref().unwrap_or_default();
        secrets.extend(secret_texts(&self.watch.server_metrics_headers, url, &[]));
        let otlp = self.watch.otlp.iter();
        secrets.extend(otlp.flat_map(|otlp| secret_texts(&otlp.headers, &otlp.url, &[])));
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }
}
