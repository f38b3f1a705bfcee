//! The flags → the configuration that they describe, or everything that is wrong with them.

use serde_json::{Map, Value, json};

use super::PerfArgs;
use crate::api::{self, EndpointSpec};
use crate::config::{
    ApiConfig, Config, ConnectionConfig, Header, LoadConfig, OutputConfig, PluginConfig, Problem,
    PromptConfig, RateChange, Warmup,
};
use crate::dataset::ImageSpec;
use crate::tune::{Criteria, SlaSpec, SlaVariable};

/// Requests of a stage, where nobody says.
const NUMBER: u64 = 1000;

impl PerfArgs {
    /// The configuration that the flags describe, or everything that is wrong with them.
    /// `entropy` is the seed of a run that was given none.
    pub fn into_config(self, entropy: u64) -> Result<Config, Vec<Problem>> {
        let mut problems = Vec::new();
        let api_args = object("--api-args", self.api_args.as_deref(), &mut problems);
        let mut dataset_args = object("--dataset-args", self.dataset_args.as_deref(), &mut problems);
        self.foreign.fold_into(&mut dataset_args, &mut problems);
        let extra_args = object("--extra-args", self.extra_args.as_deref(), &mut problems);
        let query_template =
            self.query_template.as_deref().map(|text| object("--query-template", Some(text), &mut problems));
        let prompt = self.prompt.as_deref().and_then(|text| text_or_file("--prompt", text, &mut problems));
        let headers = headers("--headers", &self.headers, self.api_key.as_deref(), &mut problems);
        let stream = !self.no_stream;
        if self.max_tokens.len() > 2 {
            let message = format!("accepts 1 or 2 values [min max], got {:?}", self.max_tokens);
            problems.push(Problem::new("--max-tokens", message));
        }
        self.sampling_problems(&mut problems);
        let config = Config {
            model: self.model.clone().unwrap_or_default(),
            tokenizer_path: self.tokenizer_path.clone(),
            seed: self.seed.unwrap_or(entropy),
            sla: self.sla(&mut problems),
            load: LoadConfig {
                parallel: self.parallel.clone(),
                number: if self.number.is_empty() { vec![NUMBER] } else { self.number.clone() },
                number_given: !self.number.is_empty(),
                open_loop: self.open_loop,
                rates_rps: if self.rate == [-1.0] { Vec::new() } else { self.rate.clone() },
                arrival: self.arrival,
                burstiness: self.burstiness,
                rate_change: self.rate_change(&mut problems),
                max_concurrency: self.max_concurrency,
                warmup: warmup(self.warmup_num),
                duration_s: self.duration,
                sleep_interval_s: self.sleep_interval,
                retries: self.retries,
                cancel_rate: self.cancel_rate,
                cancel_after_s: self.cancel_after,
                goodput: self.goodput.clone(),
                workers: self.workers,
            },
            connection: ConnectionConfig {
                url: self.url.first().cloned().unwrap_or_default(),
                more_urls: self.url.iter().skip(1).cloned().collect(),
                headers,
                connect_timeout_s: self.connect_timeout,
                read_timeout_s: self.read_timeout,
                total_timeout_s: self.total_timeout,
                clock: self.clock,
                test_connection: !self.no_test_connection,
            },
            prompt: PromptConfig {
                dataset: self.dataset.clone(),
                dataset_path: self.dataset_path.clone(),
                data_source: self.data_source,
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
                images: ImageSpec {
                    width: self.image_width,
                    height: self.image_height,
                    format: self.image_format.clone(),
                    num: self.image_num,
                    patch_size: self.image_patch_size,
                },
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
                extra_fields: extra_args.keys().cloned().collect(),
                parameters: self.parameters(stream, extra_args),
            },
            plugins: PluginConfig {
                timeout_s: self.plugin_timeout,
                memory_mib: self.plugin_memory,
                allow: self.plugin_allow.clone(),
            },
            output: OutputConfig {
                outputs_dir: self.outputs_dir.clone(),
                name: self.name.clone(),
                timestamp: !self.no_timestamp,
                save_text: self.save_text,
                save_frames: self.save_frames,
                compat: self.compat,
                log_every_n_query: self.log_every_n_query,
                debug: self.debug,
                visualizer: self.visualize.config(),
                formats: self.format.clone(),
                timeline_interval_s: self.timeline_interval,
            },
            gates: self.gates.config(&mut problems),
            watch: self.watch.config(&mut problems),
        };
        problems.extend(config.validate());
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// What the user should know about flags that do nothing here.
    pub fn notes(&self) -> Vec<String> {
        self.foreign.notes()
    }

    fn sla(&self, problems: &mut Vec<Problem>) -> Option<SlaSpec> {
        if !self.sla_auto_tune {
            if self.sla_params.is_some() {
                problems
                    .push(Problem::new("--sla-params", "needs --sla-auto-tune; add it, or leave this out"));
            }
            return None;
        }
        let text = text_or_file("--sla-params", self.sla_params.as_deref()?, problems)?;
        let wrong = |message: String| Problem::new("--sla-params", message);
        let criteria = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("malformed JSON: {error}; correct it there")))
            .and_then(|value| Criteria::parse(&value).map_err(|error| wrong(error.to_string())));
        let criteria = match criteria {
            Ok(criteria) => criteria,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        let start = match self.sla_variable {
            SlaVariable::Parallel => self.parallel.first().copied().unwrap_or(1),
            SlaVariable::Rate => self.rate.first().copied().unwrap_or(1.0).max(1.0) as u32,
        };
        Some(SlaSpec {
            variable: self.sla_variable,
            groups: criteria.groups,
            notes: criteria.notes,
            runs: self.sla_num_runs,
            lower: self.sla_lower_bound,
            upper: self.sla_upper_bound,
            start,
            fixed_parallel: self.sla_fixed_parallel,
            number_multiplier: self.sla_number_multiplier,
        })
    }

    fn rate_change(&self, problems: &mut Vec<Problem>) -> Option<RateChange> {
        if let Some(ramp) = &self.ramp {
            let change = RateChange::ramp(ramp);
            if change.is_none() {
                let message =
                    format!("\"{ramp}\" is not RPS:RPS:SECONDS with positive numbers, such as 1:50:60");
                problems.push(Problem::new("--ramp", message));
            }
            return change;
        }
        if self.steps.is_empty() {
            return None;
        }
        let change = RateChange::steps(&self.steps);
        if change.is_none() {
            let message =
                format!("{:?} are not RPS:SECONDS with positive numbers, such as 10:30 50:30", self.steps);
            problems.push(Problem::new("--steps", message));
        }
        change
    }

    fn chat_template(&self) -> bool {
        let endpoint = EndpointSpec {
            api: &self.api,
            url: self.url.first().map_or("", String::as_str),
            stream: !self.no_stream,
            tokenize_prompt: self.tokenize_prompt,
        };
        self.apply_chat_template || (api::takes_chats(&endpoint) && !self.no_apply_chat_template)
    }

    /// What no server could take, and JSON cannot say.
    fn sampling_problems(&self, problems: &mut Vec<Problem>) {
        let number = |value: f64| value.is_finite();
        let (temperature, top_p) = (Some(self.temperature), self.top_p);
        for (flag, value, sound, wanted) in [
            (
                "--temperature",
                temperature,
                (|value| (0.0..=1e6).contains(&value)) as fn(f64) -> bool,
                "0 or more",
            ),
            ("--top-p", top_p, |value| (0.0..=1.0).contains(&value), "from 0 to 1"),
            ("--frequency-penalty", self.frequency_penalty, number, "a number"),
            ("--repetition-penalty", self.repetition_penalty, number, "a number"),
        ] {
            if let Some(value) = value.filter(|&value| !sound(value)) {
                problems.push(Problem::new(flag, format!("must be {wanted}, but got {value}")));
            }
        }
        if self.n_choices == Some(0) {
            problems.push(Problem::new("--n-choices", "must be at least 1"));
        }
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
pub(super) fn object(
    flag: &'static str,
    text: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
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

pub(super) fn headers(
    flag: &'static str,
    pairs: &[String],
    api_key: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Vec<Header> {
    let mut out = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        match pair.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                out.push(Header::new(name.trim(), value.trim()))
            }
            // What is not a pair may be a secret that was given wrongly: it is not repeated.
            _ => problems.push(Problem::new(flag, format!("value {} is not NAME=VALUE", index + 1))),
        }
    }
    if let Some(key) = api_key {
        out.retain(|header| !header.name().eq_ignore_ascii_case("authorization"));
        out.push(Header::new("Authorization", format!("Bearer {key}")));
    }
    out
}
