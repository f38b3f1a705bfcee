//! Every flag of `tickrate perf`, declared once: the help, the man page, the completions and the
//! configuration come from here.

mod foreign;
mod otlp;
#[cfg(test)]
mod tests;
mod to_config;
mod visualize;
mod watch;

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::cli::gates::GateArgs;
use crate::config::{Arrival, CANCEL_AFTER_S, Compat, DataSource};
use crate::http::ReadClock;
use crate::output::export::Format;
use crate::plugin::Grant;
use crate::record::GoodputTarget;
use crate::tune::SlaVariable;

/// Measure a server: one stage for each --parallel, one record for each request.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Parameters of replies that have no default are sent only if they are given.")]
pub struct PerfArgs {
    /// YAML, TOML or JSON file with any of these flags under their long names; - reads YAML or JSON from
    /// the standard input. Flags may also be set as TICKRATE_FLAG_NAME in the environment. The command
    /// line wins over the environment, and the environment over the file
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
    /// Print the stages, the time they take as far as it is known, and a sample request, and send nothing
    #[arg(long, help_heading = "Settings")]
    dry_run: bool,

    /// Model name as the server knows it
    #[arg(long, help_heading = "Model and API")]
    model: Option<String>,
    /// API of the server: anthropic, dashscope, ollama, openai, openai_embedding, openai_rerank,
    /// openai_responses, tgi, or a .wasm component
    #[arg(long, default_value = "openai", help_heading = "Model and API")]
    api: String,
    /// Options of the API's own, as a JSON object or @FILE
    #[arg(long, value_name = "JSON", help_heading = "Model and API")]
    api_args: Option<String>,
    /// Tokenizer: a folder with tokenizer.json, or the file itself. Needed for --dataset random and
    /// --tokenize-prompt, and for token counts where the server reports none
    #[arg(long, value_name = "PATH", help_heading = "Model and API")]
    tokenizer_path: Option<PathBuf>,

    /// Endpoint. A URL without a known path gets the API's. Several share the load: each conversation
    /// goes to one of them
    #[arg(
        long,
        num_args = 1..,
        default_value = "http://127.0.0.1:8877/v1/chat/completions",
        help_heading = "Connection"
    )]
    url: Vec<String>,
    /// API key, sent as "Authorization: Bearer KEY" and shown nowhere
    #[arg(long, value_name = "KEY", help_heading = "Connection")]
    api_key: Option<String>,
    /// Headers for every request
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., help_heading = "Connection")]
    headers: Vec<String>,
    /// Longest wait for a connection, in seconds [default: none]
    #[arg(long, value_name = "S", allow_negative_numbers = true, help_heading = "Connection")]
    connect_timeout: Option<f64>,
    /// Longest wait between two reads of a reply, in seconds [default: none]
    #[arg(long, value_name = "S", allow_negative_numbers = true, help_heading = "Connection")]
    read_timeout: Option<f64>,
    /// Longest time for one request, in seconds
    #[arg(
        long,
        value_name = "S",
        allow_negative_numbers = true,
        default_value_t = 21600.0,
        help_heading = "Connection"
    )]
    total_timeout: f64,
    /// What stamps the bytes of a reply: read, when they were read from the socket; kernel, when the
    /// system had received them, for http:// without a proxy
    #[arg(
        long,
        value_enum,
        value_name = "CLOCK",
        default_value = "read",
        hide_possible_values = true,
        help_heading = "Connection"
    )]
    clock: ReadClock,
    /// Do not try one request before the run
    #[arg(long, help_heading = "Connection")]
    no_test_connection: bool,

    /// Requests in flight at a time; several values make several stages
    #[arg(long, value_name = "N", num_args = 1.., default_value = "1", help_heading = "Load")]
    parallel: Vec<u32>,
    /// Requests of each stage, one value for each --parallel [default: 1000, or all of a recording]
    #[arg(long, short = 'n', value_name = "N", num_args = 1.., help_heading = "Load")]
    number: Vec<u64>,
    /// Pace arrivals at this many requests per second: within --parallel, or with --open-loop, where
    /// several values make several stages; -1 for no pacing
    #[arg(
        long,
        value_name = "RPS",
        num_args = 1..,
        default_value = "-1",
        allow_negative_numbers = true,
        help_heading = "Load"
    )]
    rate: Vec<f64>,
    /// Open loop: arrivals do not wait for answers; --parallel has no meaning
    #[arg(long, help_heading = "Load")]
    open_loop: bool,
    /// How the gaps between paced arrivals vary: poisson, constant or gamma
    #[arg(
        long,
        value_enum,
        default_value_t = Arrival::Poisson,
        hide_possible_values = true,
        help_heading = "Load"
    )]
    arrival: Arrival,
    /// Shape of --arrival gamma: 1 is Poisson, less comes in bursts, more is more regular
    #[arg(long, value_name = "X", default_value_t = 1.0, help_heading = "Load")]
    burstiness: f64,
    /// Change the rate linearly during each stage, from one value to another in so many seconds
    #[arg(long, value_name = "RPS:RPS:S", conflicts_with = "steps", help_heading = "Load")]
    ramp: Option<String>,
    /// Change the rate in steps during each stage: each value for so many seconds
    #[arg(long, value_name = "RPS:S", num_args = 1.., help_heading = "Load")]
    steps: Vec<String>,
    /// Most requests of an open loop in flight; what is due beyond that is recorded as not sent
    /// [default: none]
    #[arg(long, value_name = "N", help_heading = "Load")]
    max_concurrency: Option<u32>,
    /// Warm-up requests before each stage: a count, or a ratio of --number between 0 and 1. They are
    /// marked in the records and excluded from all figures
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0.0,
        allow_negative_numbers = true,
        help_heading = "Load"
    )]
    warmup_num: f64,
    /// Start no request after this many seconds of a stage; those in flight are finished [default: none]
    #[arg(long, value_name = "S", allow_negative_numbers = true, help_heading = "Load")]
    duration: Option<f64>,
    /// Rest between stages, in seconds
    #[arg(
        long,
        value_name = "S",
        allow_negative_numbers = true,
        default_value_t = 5.0,
        help_heading = "Load"
    )]
    sleep_interval: f64,
    /// Try a failed request again so many times, after the wait that the server asks for
    /// (Retry-After); each attempt is a record
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Load")]
    retries: u32,
    /// Share of requests that the client gives up on purpose, from 0 to 1
    #[arg(long, value_name = "X", default_value_t = 0.0, help_heading = "Load")]
    cancel_rate: f64,
    /// When it gives them up, in seconds after they were sent
    #[arg(
        long,
        value_name = "S",
        allow_negative_numbers = true,
        default_value_t = CANCEL_AFTER_S,
        help_heading = "Load"
    )]
    cancel_after: f64,
    /// Count requests within these limits, in milliseconds, as good: ttft:200 tpot:50 itl:50 latency:10000
    #[arg(long, value_name = "METRIC:MS", num_args = 1.., help_heading = "Load")]
    goodput: Vec<GoodputTarget>,
    /// Find the highest load that keeps a promise, instead of the stages of --parallel or --rate
    #[arg(long, requires = "sla_params", help_heading = "SLA auto-tune")]
    sla_auto_tune: bool,
    /// What is varied: parallel or rate; the search begins at the first --parallel or --rate
    #[arg(
        long,
        value_enum,
        default_value_t = SlaVariable::Parallel,
        hide_possible_values = true,
        help_heading = "SLA auto-tune"
    )]
    sla_variable: SlaVariable,
    /// The promises as a JSON list or @FILE, such as '[{"p99_ttft": "<=2s", "p99_tpot": "<=50ms"}]'. In
    /// an object all must hold; each object is searched for on its own. Figures: avg_, p50_, p90_, p95_
    /// and p99_ with latency, ttft or tpot; rps; tps. Goals: <=, <, >= or > with a unit, max, min
    #[arg(long, value_name = "JSON", help_heading = "SLA auto-tune")]
    sla_params: Option<String>,
    /// How often each load is measured; one that fails clearly is measured once
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "SLA auto-tune")]
    sla_num_runs: u32,
    /// Lowest load to try
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "SLA auto-tune")]
    sla_lower_bound: u32,
    /// Highest load to try
    #[arg(long, value_name = "N", default_value_t = 65536, help_heading = "SLA auto-tune")]
    sla_upper_bound: u32,
    /// Requests in flight at a time while the rate is varied [default: no limit]
    #[arg(long, value_name = "N", help_heading = "SLA auto-tune")]
    sla_fixed_parallel: Option<u32>,
    /// Requests of a stage for each unit of load
    #[arg(long, value_name = "X", default_value_t = 2.0, help_heading = "SLA auto-tune")]
    sla_number_multiplier: f64,

    /// Threads that send and read [default: half of the cores, at most 8]
    #[arg(long, value_name = "N", help_heading = "Load")]
    workers: Option<u32>,

    /// Dataset: a built-in name, or a .wasm component
    #[arg(long, default_value = "openqa", help_heading = "Prompts")]
    dataset: String,
    /// File or folder of the dataset
    #[arg(long, value_name = "PATH", help_heading = "Prompts")]
    dataset_path: Option<PathBuf>,
    /// Where a dataset without a path and a tokenizer that is no path are downloaded from: modelscope,
    /// huggingface, or local for nowhere [default: modelscope]
    #[arg(long, value_enum, value_name = "HUB", hide_possible_values = true, help_heading = "Prompts")]
    data_source: Option<DataSource>,
    /// Options of the dataset's own, as a JSON object or @FILE
    #[arg(long, value_name = "JSON", help_heading = "Prompts")]
    dataset_args: Option<String>,
    /// One prompt for all requests, instead of a dataset: a text or @FILE
    #[arg(long, value_name = "TEXT", help_heading = "Prompts")]
    prompt: Option<String>,
    /// Body that requests start from, as a JSON object or @FILE; the flags overwrite its fields
    #[arg(long, value_name = "JSON", help_heading = "Prompts")]
    query_template: Option<String>,
    /// Shortest prompt, in tokens with a tokenizer, else in characters
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Prompts")]
    min_prompt_length: u64,
    /// Longest prompt, in tokens with a tokenizer, else in characters
    #[arg(long, value_name = "N", default_value_t = 131_072, help_heading = "Prompts")]
    max_prompt_length: u64,
    /// Tokens that all random prompts begin with, on top of their length
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Prompts")]
    prefix_length: u64,
    /// Send prompts as chats [default: if the API takes chats; openai by its URL]
    #[arg(long, overrides_with = "no_apply_chat_template", help_heading = "Prompts")]
    apply_chat_template: bool,
    /// Send prompts as plain text
    #[arg(long, help_heading = "Prompts")]
    no_apply_chat_template: bool,
    /// Send prompts as token ids, to the completions endpoint
    #[arg(long, help_heading = "Prompts")]
    tokenize_prompt: bool,

    /// Item of the dataset to begin with, from 0
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Prompts")]
    dataset_offset: u64,

    /// Send conversations, in which each turn sees the replies before it; --number counts them
    #[arg(long, help_heading = "Conversations")]
    multi_turn: bool,
    /// Fewest turns of a conversation that is made up
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Conversations")]
    min_turns: u32,
    /// Most turns of a conversation [default: as many as it has]
    #[arg(long, value_name = "N", help_heading = "Conversations")]
    max_turns: Option<u32>,

    /// Width of random pictures, in pixels
    #[arg(long, value_name = "PX", default_value_t = 224, help_heading = "Images")]
    image_width: u32,
    /// Height of random pictures, in pixels
    #[arg(long, value_name = "PX", default_value_t = 224, help_heading = "Images")]
    image_height: u32,
    /// Colours of random pictures: RGB, RGBA or L (grey)
    #[arg(long, value_name = "MODE", default_value = "RGB", help_heading = "Images")]
    image_format: String,
    /// Random pictures in each request
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Images")]
    image_num: u32,
    /// Side of the square of pixels that is one token, where the server reports no count
    #[arg(long, value_name = "PX", default_value_t = 28, help_heading = "Images")]
    image_patch_size: u32,

    /// Stream the replies (the default)
    #[arg(long, overrides_with = "no_stream", help_heading = "Replies")]
    stream: bool,
    /// Ask for each reply as a whole; there is no TTFT then
    #[arg(long, help_heading = "Replies")]
    no_stream: bool,
    /// Most tokens to generate, or the two ends of a range to draw from for each request
    #[arg(long, value_name = "N", num_args = 1..=2, default_value = "2048", help_heading = "Replies")]
    max_tokens: Vec<u32>,
    /// Fewest tokens to generate
    #[arg(long, value_name = "N", help_heading = "Replies")]
    min_tokens: Option<u32>,
    /// Sampling temperature
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "T",
        default_value_t = 0.0,
        help_heading = "Replies"
    )]
    temperature: f64,
    /// Nucleus sampling: the probability mass to keep
    #[arg(long, allow_negative_numbers = true, value_name = "P", help_heading = "Replies")]
    top_p: Option<f64>,
    /// Sample from this many most likely tokens
    #[arg(long, value_name = "K", allow_negative_numbers = true, help_heading = "Replies")]
    top_k: Option<i64>,
    /// Seed of the server's sampling and of all random choices here [default: a new one for each run,
    /// so that a prefix cache does not know its prompts]
    #[arg(long, value_name = "N", help_heading = "Replies")]
    seed: Option<u64>,
    /// Texts that end a reply
    #[arg(long, value_name = "TEXT", num_args = 1.., help_heading = "Replies")]
    stop: Vec<String>,
    /// Token ids that end a reply
    #[arg(long, value_name = "ID", num_args = 1.., help_heading = "Replies")]
    stop_token_ids: Vec<i64>,
    /// Ask for log probabilities
    #[arg(long, help_heading = "Replies")]
    logprobs: bool,
    /// Replies for each request
    #[arg(long, value_name = "N", help_heading = "Replies")]
    n_choices: Option<u32>,
    /// Penalty by the frequency of tokens so far
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = "Replies")]
    frequency_penalty: Option<f64>,
    /// Penalty for tokens seen before
    #[arg(long, allow_negative_numbers = true, value_name = "X", help_heading = "Replies")]
    repetition_penalty: Option<f64>,
    /// Further fields of the body, as a JSON object or @FILE; they win over everything else
    #[arg(long, value_name = "JSON", help_heading = "Replies")]
    extra_args: Option<String>,

    /// Longest time for one call of a plugin, in seconds; opening it and drawing conversations from
    /// it may take ten times as long
    #[arg(
        long,
        value_name = "S",
        allow_negative_numbers = true,
        default_value_t = 1.0,
        help_heading = "Plugins"
    )]
    plugin_timeout: f64,
    /// Most memory for one instance of a plugin, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, help_heading = "Plugins")]
    plugin_memory: u64,
    /// Let plugins use what all of them are refused: a folder to read (dir=PATH) or to write (dir=PATH:rw), an
    /// environment variable (env=NAME), a server (net=HOST or net=HOST:PORT)
    #[arg(long, value_name = "GRANT", num_args = 1.., help_heading = "Plugins")]
    plugin_allow: Vec<Grant>,

    /// Folder that runs are collected in
    #[arg(long, value_name = "DIR", default_value = "outputs", help_heading = "Output")]
    outputs_dir: PathBuf,
    /// Write to OUTPUTS_DIR/NAME, without a folder named for the time
    #[arg(long, help_heading = "Output")]
    no_timestamp: bool,
    /// Name of the run [default: the model's]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    name: Option<String>,
    #[command(flatten)]
    visualize: visualize::VisualizeArgs,
    /// Keep prompts and outputs in the records
    #[arg(long, help_heading = "Output")]
    save_text: bool,
    /// Keep the replies beside the records, in frames.parquet, so that "tickrate reparse" can parse them
    /// again
    #[arg(long, help_heading = "Output")]
    save_frames: bool,
    /// Show and write the figures by the definitions of another tool as well: evalscope
    #[arg(long, value_enum, value_name = "TOOL", hide_possible_values = true, help_heading = "Output")]
    compat: Option<Compat>,
    /// Write the records in these formats too, beside Parquet: csv, jsonl, sqlite
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        num_args = 1..,
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "Output"
    )]
    format: Vec<Format>,
    /// Length of the intervals of timeline.parquet, in seconds
    #[arg(
        long,
        value_name = "S",
        allow_negative_numbers = true,
        default_value_t = 1.0,
        help_heading = "Output"
    )]
    timeline_interval: f64,
    /// Log the progress every so many requests; 0 for never
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Output")]
    log_every_n_query: u64,
    #[command(flatten)]
    foreign: foreign::ForeignArgs,

    /// Print each request
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Output")]
    debug: bool,
    #[command(flatten)]
    gates: GateArgs,

    #[command(flatten)]
    watch: watch::WatchArgs,
}

impl PerfArgs {
    /// Whether only the plan is asked for.
    pub fn dry_run(&self) -> bool {
        self.dry_run
    }
}
