//! `tickrate config`: a file to begin with, the check of one, and the schema of all.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use super::file::Format;
use super::{flag, layered, schema, template};
use crate::app::{AppError, Exit};
use crate::cli::perf::PerfArgs;
use crate::cli::refusal;
use crate::config::Config;

/// The flags of `tickrate config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Write a configuration file with every flag, most of them commented out
    Init {
        /// The file: .yaml, .yml, .toml or .json
        #[arg(value_name = "FILE", default_value = "run.yaml")]
        file: PathBuf,
    },
    /// Say whether a configuration file can be run, or everything that is wrong with it
    Check {
        /// The file, or - for YAML or JSON from the standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON Schema of configuration files, for editors
    Schema,
}

/// Does what the command line asks for.
pub fn run(args: &ConfigArgs) -> Result<Exit, AppError> {
    let text = match &args.action {
        Action::Init { file } => init(file)?,
        Action::Check { file } => check(file)?,
        Action::Schema => format!("{:#}\n", schema::schema(&flag::all())),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        AppError::new(Exit::Failed, format!("cannot write to the standard output: {error}"))
    })?;
    Ok(Exit::Success)
}

fn init(path: &Path) -> Result<String, AppError> {
    let name = path.display();
    let format = Format::of(path)
        .ok_or_else(|| AppError::usage(format!("\"{name}\" should end in .yaml, .yml, .toml or .json")))?;
    let text = template::template(&flag::all(), format);
    let written = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            AppError::usage(format!("\"{name}\" exists already; name another file, or remove it"))
        }
        _ => AppError::usage(format!("cannot write \"{name}\": {error}")),
    })?;
    Ok(format!("written: {name}; set the model and the URL in it, and run: tickrate perf --config {name}\n"))
}

#[derive(Parser)]
struct Perf {
    #[command(flatten)]
    args: PerfArgs,
}

/// The configuration of a file alone, as `tickrate perf` would take it.
fn check(path: &Path) -> Result<String, AppError> {
    let words = ["tickrate", "perf", "--config"].map(OsString::from).into_iter();
    let merged = layered(words.chain([path.into()]).collect(), [])?;
    // Without the word `perf`, the rest is a command line of nothing but its flags.
    let words = merged.words.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, word)| word);
    let perf = Perf::try_parse_from(words)
        .map_err(|error| AppError::usage(format!("{}: {}", path.display(), refusal::what(&error))))?;
    let config: Config = perf.args.into_config(0).map_err(|problems| merged.explain(problems))?;
    let stages = config.load.stages();
    let requests: u64 = stages.iter().map(|stage| stage.number + config.load.warmup.of(stage.number)).sum();
    let what = match config.sla {
        Some(_) => "a search".to_string(),
        None => format!("stages: {}, requests: {requests}", stages.len()),
    };
    let plan = "tickrate perf --dry-run shows the plan";
    Ok(format!(
        "{}: can be run; {what}; {plan}\n",
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
    ))
}
