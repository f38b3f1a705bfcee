//! `tickrate plugin …`: what is done with plugins apart from running them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::plugin::build::{self, BuildError, BuildSpec, Choice};
use crate::units::grouped;

/// Make and examine plugins.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// The subcommands of `tickrate plugin`.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Build plugins written in Rust into WebAssembly components.
    Build(BuildArgs),
}

/// The flags of `tickrate plugin build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Folders of crates, or of workspaces whose plugins are then all built.
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,

    /// Folder for the components [default: guests in the target folder].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Rust toolchain to build with [default: TICKRATE_PLUGIN_TOOLCHAIN, else auto].
    #[arg(long, value_enum)]
    pub toolchain: Option<ToolchainArg>,
}

/// The values of `--toolchain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ToolchainArg {
    /// The first of the others that can build for WebAssembly.
    Auto,
    /// rustup's, with the target wasm32-wasip2.
    Rustup,
    /// Debian's packages rustc-web, cargo-web, rust-web-src and lld-22.
    Debian,
}

impl From<ToolchainArg> for Choice {
    fn from(arg: ToolchainArg) -> Choice {
        match arg {
            ToolchainArg::Auto => Choice::Auto,
            ToolchainArg::Rustup => Choice::Rustup,
            ToolchainArg::Debian => Choice::Debian,
        }
    }
}

/// Runs the subcommand; what it made goes to the standard output, one line each.
///
/// # Errors
/// If nothing could be built; the error is one line.
pub fn run(args: &PluginArgs) -> Result<(), BuildError> {
    let PluginCommand::Build(args) = &args.command;
    let toolchain = args.toolchain.map_or_else(from_environment, Ok)?;
    let spec = BuildSpec { paths: args.paths.clone(), out: args.out.clone(), toolchain: toolchain.into() };
    for built in build::build(&spec)? {
        println!("{:<24} {:>12} bytes  {}", built.name, grouped(built.bytes), built.path.display());
    }
    Ok(())
}

fn from_environment() -> Result<ToolchainArg, BuildError> {
    match std::env::var("TICKRATE_PLUGIN_TOOLCHAIN") {
        Err(_) => Ok(ToolchainArg::Auto),
        Ok(name) => ToolchainArg::from_str(&name, true).map_err(|_| BuildError::UnknownToolchain(name)),
    }
}
