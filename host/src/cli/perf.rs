//! Every flag of `tickrate perf`, declared once: the help, the man page, the completions and the
//! configuration come from here.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use serde_json::{Map, Value, json};

use crate::config::{
    ApiConfig, Config, ConnectionConfig, Header, LoadConfig, OutputConfig, PluginConfig, Problem,
    PromptConfig, Warmup,
};

/// Measure a server: one stage for each --parallel, one record for each request.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Parameters of replies that have no default are sent only if they are given.")]
pub struct PerfArgs {
    /// Model name as the server knows it
    #[arg(long, help_heading = "Model and API")]
    model: Option<String>,
    /// API of the server: a built-in name, or a .wasm component
    #[arg(long, default_value = "openai", help_heading = "Model and API")]
    api: String,
    /// Options of the API's own, as a JSON object or @FILE
    #[arg(long, value_name = "JSON", help_heading = "Model and API")]
    api_args: Option<String>,
    /// Tokenizer: a folder with tokenizer.json, or the file itself. Needed for --dataset random and
    /// --tokenize-prompt, and for token counts where the server reports none
    #[arg(long, value_name = "PATH", help_heading = "Model and API")]
    tokenizer_path: Option<PathBuf>,

    /// Endpoint. A URL without a known path gets the API's
    #[arg(long, default_value = "http://127.0.0.1:8877/v1/chat/completions", help_heading = "Connection")]
    url: String,
    /// API key, sent as "Authorization: Bearer KEY" and shown nowhere
    #[arg(long, value_name = "KEY", help_heading = "Connection")]
    api_key: Option<String>,
    /// Headers for every request
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., help_heading = "Connection")]
    headers: Vec<String>,
    /// Longest wait for a connection, in seconds [default: none]
    #[arg(long, value_name = "S", help_heading = "Connection")]
    connect_timeout: Option<f64>,
    /// Longest wait between two reads of a reply, in seconds [default: none]
    #[arg(long, value_name = "S", help_heading = "Connection")]
    read_timeout: Option<f64>,
    /// Longest time for one request, in seconds
    #[arg(long, value_name = "S", default_value_t = 21600.0, help_heading = "Connection")]
    total_timeout: f64,
    /// Do not try one request before the run
    #[arg(long, help_heading = "Connection")]
    no_test_connection: bool,

    /// Requests in flight at a time; several values make several stages
    #[arg(long, value_name = "N", num_args = 1.., default_value = "1", help_heading = "Load")]
    parallel: Vec<u32>,
    /// Requests of each stage, one value for each --parallel
    #[arg(long, short = 'n', value_name = "N", num_args = 1.., default_value = "1000", help_heading = "Load")]
    number: Vec<u64>,
    /// Pace arrivals as a Poisson process of this many requests per second, within --parallel; -1 for no pacing
    #[arg(long, value_name = "RPS", default_value_t = -1.0, allow_negative_numbers = true, help_heading = "Load")]
    rate: f64,
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
    #[arg(long, value_name = "S", help_heading = "Load")]
    duration: Option<f64>,
    /// Rest between stages, in seconds
    #[arg(long, value_name = "S", default_value_t = 5.0, help_heading = "Load")]
    sleep_interval: f64,
    /// Threads that send and read [default: half of the cores, at most 8]
    #[arg(long, value_name = "N", help_heading = "Load")]
    workers: Option<u32>,

    /// Dataset: a built-in name, or a .wasm component
    #[arg(long, default_value = "openqa", help_heading = "Prompts")]
    dataset: String,
    /// File or folder of the dataset
    #[arg(long, value_name = "PATH", help_heading = "Prompts")]
    dataset_path: Option<PathBuf>,
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
    /// Send prompts as chats [default: if --url ends with chat/completions]
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
    #[arg(long, value_name = "T", default_value_t = 0.0, help_heading = "Replies")]
    temperature: f64,
    /// Nucleus sampling: the probability mass to keep
    #[arg(long, value_name = "P", help_heading = "Replies")]
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
    #[arg(long, value_name = "X", help_heading = "Replies")]
    repetition_penalty: Option<f64>,
    /// Further fields of the body, as a JSON object or @FILE; they win over everything else
    #[arg(long, value_name = "JSON", help_heading = "Replies")]
    extra_args: Option<String>,

    /// Longest time for one call of a plugin, in seconds; opening it and drawing conversations from
    /// it may take ten times as long
    #[arg(long, value_name = "S", default_value_t = 1.0, help_heading = "Plugins")]
    plugin_timeout: f64,
    /// Most memory for one instance of a plugin, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, help_heading = "Plugins")]
    plugin_memory: u64,

    /// Folder that runs are collected in
    #[arg(long, value_name = "DIR", default_value = "outputs", help_heading = "Output")]
    outputs_dir: PathBuf,
    /// Write to OUTPUTS_DIR/NAME, without a folder named for the time
    #[arg(long, help_heading = "Output")]
    no_timestamp: bool,
    /// Name of the run [default: the model's]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    name: Option<String>,
    /// Keep prompts and outputs in the records
    #[arg(long, help_heading = "Output")]
    save_text: bool,
    /// Log the progress every so many requests; 0 for never
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Output")]
    log_every_n_query: u64,
    /// Print each request
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Output")]
    debug: bool,
}

impl PerfArgs {
    /// The configuration that the flags describe, or everything that is wrong with them.
    /// `entropy` is the seed of a run that was given none.
    pub fn into_config(self, entropy: u64) -> Result<Config, Vec<Problem>> {
        let mut problems = Vec::new();
        let api_args = object("--api-args", self.api_args.as_deref(), &mut problems);
        let dataset_args = object("--dataset-args", self.dataset_args.as_deref(), &mut problems);
        let extra_args = object("--extra-args", self.extra_args.as_deref(), &mut problems);
        let query_template =
            self.query_template.as_deref().map(|text| object("--query-template", Some(text), &mut problems));
        let prompt = self.prompt.as_deref().and_then(|text| text_or_file("--prompt", text, &mut problems));
        let headers = headers(&self.headers, self.api_key.as_deref(), &mut problems);
        let stream = !self.no_stream;
        let config = Config {
            model: self.model.clone().unwrap_or_default(),
            tokenizer_path: self.tokenizer_path.clone(),
            seed: self.seed.unwrap_or(entropy),
            load: LoadConfig {
                parallel: self.parallel.clone(),
                number: self.number.clone(),
                rate_rps: (self.rate != -1.0).then_some(self.rate),
                warmup: warmup(self.warmup_num),
                duration_s: self.duration,
                sleep_interval_s: self.sleep_interval,
                workers: self.workers,
            },
            connection: ConnectionConfig {
                url: self.url.clone(),
                headers,
                connect_timeout_s: self.connect_timeout,
                read_timeout_s: self.read_timeout,
                total_timeout_s: self.total_timeout,
                test_connection: !self.no_test_connection,
            },
            prompt: PromptConfig {
                dataset: self.dataset.clone(),
                dataset_path: self.dataset_path.clone(),
                dataset_args,
                prompt,
                min_prompt_length: self.min_prompt_length,
                max_prompt_length: self.max_prompt_length,
                prefix_length: self.prefix_length,
                apply_chat_template: self.chat_template(),
                tokenize_prompt: self.tokenize_prompt,
                dataset_offset: self.dataset_offset,
                multi_turn: self.multi_turn,
                min_turns: self.min_turns,
                max_turns: self.max_turns,
                image_width: self.image_width,
                image_height: self.image_height,
                image_format: self.image_format.clone(),
                image_num: self.image_num,
                image_patch_size: self.image_patch_size,
            },
            api: ApiConfig {
                api: self.api.clone(),
                api_args,
                query_template,
                max_tokens: match self.max_tokens[..] {
                    [least, most] => (least, most),
                    _ => (self.max_tokens[0], self.max_tokens[0]),
                },
                stream,
                parameters: self.parameters(stream, extra_args),
            },
            plugins: PluginConfig { timeout_s: self.plugin_timeout, memory_mib: self.plugin_memory },
            output: OutputConfig {
                outputs_dir: self.outputs_dir.clone(),
                name: self.name.clone(),
                timestamp: !self.no_timestamp,
                save_text: self.save_text,
                log_every_n_query: self.log_every_n_query,
                debug: self.debug,
            },
        };
        problems.extend(config.validate());
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn chat_template(&self) -> bool {
        let by_url = self.url.trim_matches('/').ends_with("chat/completions");
        self.apply_chat_template || (by_url && !self.no_apply_chat_template)
    }

    /// The body's fields under their names on the wire, in the order the baseline sends them.
    fn parameters(&self, stream: bool, extra_args: Map<String, Value>) -> Map<String, Value> {
        let mut out = Map::new();
        let max_tokens = self.max_tokens[0];
        let fields = [
            ("max_tokens", (self.max_tokens.len() == 1).then(|| json!(max_tokens))),
            ("min_tokens", self.min_tokens.map(|value| json!(value))),
            ("frequency_penalty", self.frequency_penalty.map(|value| json!(value))),
            ("repetition_penalty", self.repetition_penalty.map(|value| json!(value))),
            ("logprobs", self.logprobs.then(|| json!(true))),
            ("n", self.n_choices.map(|value| json!(value))),
            ("seed", self.seed.map(|value| json!(value))),
            ("stop", (!self.stop.is_empty()).then(|| json!(self.stop))),
            ("stream", Some(json!(stream))),
            ("stop_token_ids", (!self.stop_token_ids.is_empty()).then(|| json!(self.stop_token_ids))),
            ("temperature", Some(json!(self.temperature))),
            ("top_p", self.top_p.map(|value| json!(value))),
            ("top_k", self.top_k.map(|value| json!(value))),
        ];
        for (name, value) in fields {
            out.extend(value.map(|value| (name.to_string(), value)));
        }
        out.extend(extra_args);
        out
    }
}

fn warmup(num: f64) -> Warmup {
    if num == 0.0 || num >= 1.0 { Warmup::Count(num as u64) } else { Warmup::Ratio(num) }
}

/// The text itself, or that of the file after an `@`.
fn text_or_file(flag: &'static str, text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let Some(path) = text.strip_prefix('@') else {
        return Some(text.to_string());
    };
    std::fs::read_to_string(path)
        .map_err(|error| {
            let message = format!("cannot read the file \"{path}\" after the @: {error}; correct its path");
            problems.push(Problem::new(flag, message));
        })
        .ok()
}

/// A JSON object from the text or the file after an `@`; empty if there is none.
fn object(flag: &'static str, text: Option<&str>, problems: &mut Vec<Problem>) -> Map<String, Value> {
    let Some(text) = text.and_then(|text| text_or_file(flag, text, problems)) else {
        return Map::new();
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            problems.push(Problem::new(flag, "must be a JSON object, such as '{\"ignore_eos\": true}'"));
            Map::new()
        }
        Err(error) => {
            problems.push(Problem::new(flag, format!("malformed JSON: {error}; correct it there")));
            Map::new()
        }
    }
}

fn headers(pairs: &[String], api_key: Option<&str>, problems: &mut Vec<Problem>) -> Vec<Header> {
    let mut out = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        match pair.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                out.push(Header::new(name.trim(), value.trim()))
            }
            // What is not a pair may be a secret that was given wrongly: it is not repeated.
            _ => problems.push(Problem::new("--headers", format!("value {} is not NAME=VALUE", index + 1))),
        }
    }
    if let Some(key) = api_key {
        out.retain(|header| !header.name().eq_ignore_ascii_case("authorization"));
        out.push(Header::new("Authorization", format!("Bearer {key}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        perf: PerfArgs,
    }

    fn config(flags: &str) -> Result<Config, Vec<String>> {
        let words = std::iter::once("tickrate").chain(flags.split_whitespace());
        let args = Cli::try_parse_from(words).map_err(|error| vec![error.to_string()])?;
        args.perf.into_config(1).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_quick_start_flags_make_a_configuration() {
        let config = config(
            "--parallel 1 10 50 100 200 --number 10 20 100 200 400 --model Qwen2.5-0.5B-Instruct \
             --url http://127.0.0.1:8801/v1/chat/completions --api openai --dataset random \
             --max-tokens 1024 --min-tokens 1024 --prefix-length 0 --min-prompt-length 1024 \
             --max-prompt-length 1024 --tokenizer-path x --extra-args {\"ignore_eos\":true}",
        )
        .unwrap();
        assert_eq!(config.load.parallel, [1, 10, 50, 100, 200]);
        assert!(config.prompt.apply_chat_template);
        assert_eq!(
            Value::Object(config.api.parameters).to_string(),
            r#"{"max_tokens":1024,"min_tokens":1024,"stream":true,"temperature":0.0,"ignore_eos":true}"#
        );
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let problems =
            config("--parallel 1 2 --number 5 --extra-args {\"a\":} --rate 0 --headers k").unwrap_err();
        assert_eq!(
            problems,
            [
                "--extra-args: malformed JSON: expected value at line 1 column 6; correct it there",
                "--headers: value 1 is not NAME=VALUE",
                "--parallel: the length of number and parallel should be the same, but got number: [5] and \
                 parallel: [1, 2]; give one --number for each --parallel",
                "--rate: must be more than 0 requests per second, or -1 for no pacing, but got 0",
                "--model: is required: the model's name as the server knows it",
            ]
        );
    }

    #[test]
    fn an_api_key_replaces_an_authorization_header_and_is_not_shown() {
        let config = config("--model m --headers authorization=x A=b=c --api-key sk-secret").unwrap();
        assert_eq!(format!("{:?}", config.connection.headers), "[A=b=c, Authorization=**********]");
        assert!(!serde_json::to_string(&config).unwrap().contains("sk-secret"));
    }

    #[test]
    fn a_max_tokens_range_is_left_to_the_api_and_a_ratio_of_warmup_is_at_least_one() {
        let config = config("--model m --max-tokens 5 9 --warmup-num 0.1 --no-stream").unwrap();
        assert_eq!(config.api.max_tokens, (5, 9));
        assert!(!config.api.parameters.contains_key("max_tokens"));
        assert_eq!(config.load.warmup.of(100), 10);
        assert_eq!(config.load.warmup.of(3), 1);
        assert!(!config.api.stream);
    }

    #[test]
    fn a_chat_template_follows_the_url_unless_a_flag_says_otherwise() {
        assert!(config("--model m").unwrap().prompt.apply_chat_template);
        assert!(!config("--model m --no-apply-chat-template").unwrap().prompt.apply_chat_template);
        assert!(!config("--model m --url http://h/v1/completions").unwrap().prompt.apply_chat_template);
        assert!(
            config("--model m --url http://h/x --apply-chat-template").unwrap().prompt.apply_chat_template
        );
    }
}
