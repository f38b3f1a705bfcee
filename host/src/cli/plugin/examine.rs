//! `tickrate plugin inspect`, `check` and `bench`: what a component is, does and costs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use crate::api::{self, ApiSpec};
use crate::app::{AppError, Exit, plugin_services};
use crate::contract::{Framing, RunConfig};
use crate::plugin::bench::bench;
use crate::plugin::check::{CheckSpec, check};
use crate::plugin::inspect::inspect;
use crate::plugin::{LimitsSpec, Plugin, Role, Runtime, replies};

/// The flags of `tickrate plugin inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The flags of `tickrate plugin check` and `bench`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Print what the plugin writes to its log on the standard error stream.
    #[arg(long)]
    pub log: bool,

    /// Recorded replies to parse: JSON lines, or one body as curl saves it.
    #[arg(long, value_name = "FILE")]
    pub replies: Option<PathBuf>,

    /// Options of the API.
    #[arg(long, value_name = "JSON", value_parser = object, default_value = "{}")]
    pub api_args: JsonObject,

    /// Options of the dataset.
    #[arg(long, value_name = "JSON", value_parser = object, default_value = "{}")]
    pub dataset_args: JsonObject,

    /// File or folder of the dataset.
    #[arg(long, value_name = "PATH")]
    pub dataset_path: Option<PathBuf>,

    /// Tokenizer that the plugin may use.
    #[arg(long, value_name = "PATH")]
    pub tokenizer_path: Option<PathBuf>,

    /// Model that the plugin is told.
    #[arg(long, value_name = "NAME", default_value = "model")]
    pub model: String,

    /// URL that the plugin is told; nothing is sent.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8801/v1/chat/completions")]
    pub url: String,

    /// Seed that the plugin is told.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Longest time for one shape or parse, in seconds; open and next may take ten times as long.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub plugin_timeout: f64,

    /// Most memory for one instance, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub plugin_memory: u64,
}

/// A JSON object on the command line.
pub type JsonObject = Map<String, Value>;

fn object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}; give a JSON object"))
}

impl TryArgs {
    fn open(&self) -> Result<Plugin, AppError> {
        if !(self.plugin_timeout.is_finite() && self.plugin_timeout > 0.0) {
            return Err(AppError::usage(format!(
                "--plugin-timeout is \"{}\"; give a number of seconds above 0",
                self.plugin_timeout
            )));
        }
        let call = Duration::try_from_secs_f64(self.plugin_timeout).unwrap_or(Duration::from_secs(3_600));
        let limits = LimitsSpec {
            memory: usize::try_from(self.plugin_memory.saturating_mul(1 << 20)).unwrap_or(usize::MAX),
            call,
            open: call.saturating_mul(10),
            next: call.saturating_mul(10),
            ..LimitsSpec::default()
        };
        open(&self.file, limits)
    }

    fn spec(&self, plugin: &Plugin) -> Result<CheckSpec, AppError> {
        let mut parameters = Map::new();
        parameters.insert("max_tokens".into(), 64.into());
        let run = RunConfig {
            model: self.model.clone(),
            url: self.url.clone(),
            stream: true,
            seed: self.seed,
            expected: 1_000,
            parameters,
            options: Map::new(),
            dataset_path: self.dataset_path.clone(),
        };
        let replies = match &self.replies {
            None => Vec::new(),
            Some(_) if !plugin.roles().contains(&Role::Api) => {
                return Err(AppError::usage(format!(
                    "--replies: the plugin \"{}\" is no api; leave it away",
                    plugin.name()
                )));
            }
            Some(path) => {
                replies::read(path, Framing::Sse).map_err(|error| AppError::usage(error.to_string()))?
            }
        };
        Ok(CheckSpec {
            run,
            api_options: self.api_args.clone(),
            dataset_options: self.dataset_args.clone(),
            replies,
        })
    }
}

fn open(file: &std::path::Path, limits: LimitsSpec) -> Result<Plugin, AppError> {
    let usage = |error: crate::plugin::PluginError| AppError::usage(error.to_string());
    Plugin::open(&Runtime::new(limits).map_err(usage)?, file).map_err(usage)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Says what a component is.
///
/// # Errors
/// If it cannot be opened.
pub fn run_inspect(args: &InspectArgs) -> Result<(String, Exit), AppError> {
    let inspection = inspect(&open(&args.file, LimitsSpec::default())?);
    let text = match args.json {
        true => pretty(&serde_json::to_value(&inspection).unwrap_or_default()),
        false => inspection.to_string(),
    };
    Ok((text, Exit::Success))
}

/// Checks a component; the exit says whether it passed.
///
/// # Errors
/// If it cannot be opened, or a file that is named cannot be used.
pub fn run_check(args: &TryArgs) -> Result<(String, Exit), AppError> {
    let plugin = args.open()?;
    let services = plugin_services(args.tokenizer_path.as_deref(), args.log)?;
    let report = check(&plugin, &args.spec(&plugin)?, &services);
    let exit = if report.passed() { Exit::Success } else { Exit::Failed };
    Ok((if args.json { pretty(&report.to_json()) } else { report.to_string() }, exit))
}

/// Measures a component.
///
/// # Errors
/// If it cannot be opened, or a call of it fails.
pub fn run_bench(args: &TryArgs) -> Result<(String, Exit), AppError> {
    let plugin = args.open()?;
    let services = plugin_services(args.tokenizer_path.as_deref(), args.log)?;
    let report = bench(&plugin, &args.spec(&plugin)?, &services, &|run| {
        api::open("openai", run, &ApiSpec::default(), None).ok()
    })
    .map_err(|error| AppError::new(Exit::Failed, error.to_string()))?;
    let text = match args.json {
        true => pretty(&serde_json::to_value(&report).unwrap_or_default()),
        false => report.to_string(),
    };
    Ok((text, Exit::Success))
}
