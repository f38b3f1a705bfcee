//! `tickrate plugin inspect`, `check` and `bench`: what a component is, does and costs.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::{JsonObject, LimitArgs, object};
use crate::api::{self, ApiSpec};
use crate::app::{AppError, Exit, Replied, plugin_services};
use crate::contract::{Framing, RunConfig};
use crate::plugin::bench::bench;
use crate::plugin::check::{CheckSpec, check};
use crate::plugin::inspect::inspect;
use crate::plugin::{Grant, LimitsSpec, Plugin, Role, Runtime, replies};

/// The flags of `tickrate plugin inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The component: a file, https://…#sha256=…, or oci://REGISTRY/NAME:TAG.
    #[arg(value_name = "FILE")]
    pub file: String,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The flags of `tickrate plugin check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What it is tried with.
    #[command(flatten)]
    pub with: TryArgs,

    /// File for the records that the replies give, as JSON lines with all columns.
    #[arg(long, value_name = "FILE", requires = "replies")]
    pub records: Option<PathBuf>,
}

/// The flags of `tickrate plugin check` and `bench`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The component: a file, https://…#sha256=…, or oci://REGISTRY/NAME:TAG.
    #[arg(value_name = "FILE")]
    pub file: String,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Print what the plugin writes to its log on the standard error stream.
    #[arg(long)]
    pub log: bool,

    /// Recorded replies to parse: JSON lines, one body as curl saves it, or a folder of such files.
    #[arg(long, value_name = "PATH")]
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

    /// The bounds of the plugin.
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl TryArgs {
    fn open(&self) -> Result<Plugin, AppError> {
        open(&self.file, self.limits.limits()?, &self.limits.plugin_allow)
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
        for (flag, given, role) in [
            ("--replies", self.replies.is_some(), Role::Api),
            ("--api-args", !self.api_args.is_empty(), Role::Api),
            ("--dataset-args", !self.dataset_args.is_empty(), Role::Dataset),
            ("--dataset-path", self.dataset_path.is_some(), Role::Dataset),
        ] {
            if given && !plugin.roles().contains(&role) {
                let name = plugin.name();
                return Err(AppError::usage(format!(
                    "{flag}: the plugin \"{name}\" is no {role}; leave it away"
                )));
            }
        }
        let replies = match &self.replies {
            None => Vec::new(),
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

fn open(file: &str, limits: LimitsSpec, grants: &[Grant]) -> Result<Plugin, AppError> {
    let usage = |error: crate::plugin::PluginError| AppError::usage(error.to_string());
    let runtime = Runtime::new(limits).and_then(|runtime| runtime.allowing(grants)).map_err(usage)?;
    Plugin::find(&runtime, file).map_err(usage)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Says what a component is.
///
/// # Errors
/// If it cannot be opened.
pub fn run_inspect(args: &InspectArgs) -> Result<(String, Exit), AppError> {
    let inspection = inspect(&open(&args.file, LimitsSpec::default(), &[])?);
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
pub fn run_check(args: &CheckArgs) -> Result<(String, Exit), AppError> {
    let with = &args.with;
    let plugin = with.open()?;
    let services = plugin_services(with.tokenizer_path.as_deref(), with.log)?;
    let spec = with.spec(&plugin)?;
    let report = check(&plugin, &spec, &services);
    let replied = Replied::new(&plugin, &spec, &services, with.tokenizer_path.as_deref())?;
    if let Some(path) = &args.records {
        replied.write(path)?;
    }
    let exit = if report.passed() { Exit::Success } else { Exit::Failed };
    if !with.json {
        return Ok((format!("{report}{}\n{}\n", replied.text()?, report.verdict()), exit));
    }
    let mut json = report.to_json();
    let replies = json["replies"].as_array_mut().into_iter().flatten();
    for (reply, record) in replies.zip(replied.objects()?) {
        reply["record"] = record.into();
    }
    Ok((pretty(&json), exit))
}

/// Measures a component.
///
/// # Errors
/// If it cannot be opened, or a call of it fails.
pub fn run_bench(args: &TryArgs) -> Result<(String, Exit), AppError> {
    let plugin = args.open()?;
    let services = plugin_services(args.tokenizer_path.as_deref(), args.log)?;
    let report = bench(&plugin, &args.spec(&plugin)?, &services, &|dialect, run| {
        api::open(dialect, run, &ApiSpec::default(), None).ok()
    })
    .map_err(|error| AppError::new(Exit::Failed, error.to_string()))?;
    let text = match args.json {
        true => pretty(&serde_json::to_value(&report).unwrap_or_default()),
        false => report.to_string(),
    };
    Ok((text, Exit::Success))
}
