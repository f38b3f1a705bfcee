//! `tickrate reparse`: parse the kept replies of a run again.

use std::path::PathBuf;

use clap::Args;

use super::plugin::{JsonObject, LimitArgs, object};
use crate::app::{self, AppError, Exit, ReparseSpec};

/// The flags of `tickrate reparse`.
#[derive(Debug, Args)]
pub struct ReparseArgs {
    /// The folder of a run that was made with --save-frames
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Who parses: a built-in API or a .wasm component
    #[arg(long, value_name = "API")]
    pub api: String,
    /// Options of the API's own, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = object, default_value = "{}")]
    pub api_args: JsonObject,
    /// Folder for the new records and summaries [default: DIR-reparsed]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Tokenizer for counts that no server reported [default: the run's]
    #[arg(long, value_name = "PATH")]
    pub tokenizer_path: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Parses the replies again.
///
/// # Errors
/// If the run kept no replies, or the API cannot be used.
pub fn run(args: ReparseArgs) -> Result<Exit, AppError> {
    let limits = args.limits.limits()?;
    app::reparse(&ReparseSpec {
        folder: args.folder,
        out: args.out,
        api: args.api,
        api_args: args.api_args,
        tokenizer_path: args.tokenizer_path,
        limits,
        grants: args.limits.plugin_allow,
    })
}
