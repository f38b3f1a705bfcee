//! The command line: the root of `clap` and the dispatch to subcommands.

pub mod compare;
pub mod datasets;
pub mod gates;
pub mod perf;
pub mod plugin;
mod refusal;
pub mod reparse;
pub mod settings;
pub mod sim;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::app::{self, AppError, Exit};
use crate::config::Compat;
use crate::output::export::Format;

/// Benchmarks LLM inference servers, and says how far its own numbers can be trusted
#[derive(Debug, Parser)]
#[command(name = "tickrate", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Measure a server: one stage for each --parallel, one record for each request
    Perf(perf::PerfArgs),
    /// Write, check and describe configuration files for perf
    Config(settings::command::ConfigArgs),
    /// Simulate a server with known timing, to try tickrate or to check it
    Sim(sim::SimArgs),
    /// List the datasets that are built in, or describe one
    Datasets(datasets::DatasetsArgs),
    /// Begin, build, inspect, check and measure WASM plugins
    Plugin(plugin::PluginArgs),
    /// Compute all tables, summaries and the page again from the records of runs
    Report {
        /// The runs' folders
        #[arg(value_name = "DIR", required = true)]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        gates: gates::GateArgs,
        /// Show and write the figures by the definitions of another tool as well: evalscope
        #[arg(long, value_enum, value_name = "TOOL", hide_possible_values = true)]
        compat: Option<Compat>,
        /// Write the records in these formats too: csv, jsonl, sqlite
        #[arg(
            long,
            value_enum,
            value_name = "FORMAT",
            num_args = 1..,
            value_delimiter = ',',
            hide_possible_values = true
        )]
        format: Vec<Format>,
    },
    /// Parse the kept replies of a run again, with another API or plugin
    Reparse(reparse::ReparseArgs),
    /// Put runs beside each other, stage by stage, and say which differences are more than chance
    Compare(compare::CompareArgs),
    /// Bring back the records of runs that were killed
    Recover {
        /// The folder of a run, or one that holds runs
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    Man,
}

/// Does what a command line asks for, with what the environment and a configuration file add to it.
/// Ends the process if the command line asks for help.
///
/// # Errors
/// If the command line cannot be understood, or what it asks for cannot be done.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Result<Exit, AppError> {
    let layered = settings::layered(words.into_iter().collect(), std::env::vars_os())?;
    let cli = match Cli::try_parse_from(&layered.words) {
        Ok(cli) => cli,
        Err(error) => match refusal::line(&error, &layered.words) {
            Some(line) => return Err(AppError::usage(line)),
            None => error.exit(),
        },
    };
    layered.notes.iter().for_each(|note| tell(note));
    cli.run(&layered)
}

impl Cli {
    fn run(self, layered: &settings::Layered) -> Result<Exit, AppError> {
        match self.command {
            Command::Perf(args) => {
                // The low bits of two clocks: enough to differ from the last run.
                let entropy = crate::clock::monotonic_ns() as u64 ^ u64::from(std::process::id());
                let dry = args.dry_run();
                let notes = args.notes();
                let config = args.into_config(entropy).map_err(|problems| layered.explain(problems))?;
                notes.iter().for_each(|note| tell(note));
                if dry { app::dry_run(config) } else { app::perf(config) }
            }
            Command::Config(args) => settings::command::run(&args),
            Command::Sim(args) => {
                sim::run(args).map_err(|error| AppError::usage(error.to_string()))?;
                Ok(Exit::Success)
            }
            Command::Datasets(args) => datasets::run(&args),
            Command::Plugin(args) => plugin::run(&args),
            Command::Reparse(args) => reparse::run(args),
            Command::Report { folders, gates, compat, format } => {
                let mut problems = Vec::new();
                let gates = gates.config(&mut problems);
                if problems.is_empty() {
                    app::report(&folders, &gates, compat, &format)
                } else {
                    Err(problems.into())
                }
            }
            Command::Compare(args) => compare::run(&args),
            Command::Recover { folder } => app::recover(&folder),
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "tickrate", &mut text);
                print(&text)
            }
            Command::Man => {
                let mut text = Vec::new();
                clap_mangen::Man::new(full_command()).render(&mut text).map_err(unprintable)?;
                for subcommand in full_command().get_subcommands().filter(|command| !command.is_hide_set()) {
                    clap_mangen::Man::new(subcommand.clone()).render(&mut text).map_err(unprintable)?;
                }
                print(&text)
            }
        }
    }
}

/// The command with everything that clap derives only when it runs.
fn full_command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Says what the user may want to know, if anyone is listening.
fn tell(note: &str) {
    let _ = writeln!(std::io::stderr(), "note: {note}");
}

fn print(text: &[u8]) -> Result<Exit, AppError> {
    std::io::stdout().write_all(text).map_err(unprintable)?;
    Ok(Exit::Success)
}

fn unprintable(error: std::io::Error) -> AppError {
    AppError::new(Exit::Failed, format!("cannot write to the standard output: {error}"))
}
