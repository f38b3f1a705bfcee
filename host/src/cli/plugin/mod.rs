//! `tickrate plugin …`: what is done with plugins apart from running them.

mod examine;
mod limits;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use crate::app::{AppError, Exit};
use crate::plugin::Role;
use crate::plugin::build::{self, BuildError, BuildSpec, Choice};
use crate::plugin::language::Language;
use crate::plugin::scaffold::{self, NewSpec};
use crate::units::grouped;

pub use limits::LimitArgs;

/// A JSON object on the command line.
pub type JsonObject = Map<String, Value>;

pub(super) fn object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}; give a JSON object"))
}

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
    /// Begin a plugin: a small project that builds and passes the checks.
    New(NewArgs),
    /// Build plugins into WebAssembly components with the tools of their languages.
    Build(BuildArgs),
    /// Say what a component is: its roles, its options, what it imports and would need.
    Inspect(examine::InspectArgs),
    /// Call every function of a component with good and bad input, and say how it does.
    ///
    /// Exits with 0 if all checks are passed, with 1 if one is not, and with 2 if the file cannot be checked.
    Check(examine::CheckArgs),
    /// Measure what a component costs: instances, shape, parse and next.
    Bench(examine::TryArgs),
}

/// The flags of `tickrate plugin new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The plugin's name: small letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The language to write it in.
    #[arg(long, value_enum)]
    pub lang: LanguageArg,

    /// What it is to be.
    #[arg(long, value_enum)]
    pub kind: KindArg,

    /// Folder of the project, which must not hold anything yet [default: the name].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The values of `--lang`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LanguageArg {
    /// Rust, with the crate tickrate-guest.
    Rust,
    /// Python, built with componentize-py.
    Python,
    /// JavaScript, built with componentize-js.
    Javascript,
    /// TypeScript, built with tsc and componentize-js.
    Typescript,
    /// C, built with clang or zig.
    C,
    /// C++, built with clang.
    Cpp,
    /// Zig.
    Zig,
    /// Go.
    Go,
    /// AssemblyScript, built with asc.
    Assemblyscript,
}

impl From<LanguageArg> for Language {
    fn from(arg: LanguageArg) -> Language {
        match arg {
            LanguageArg::Rust => Language::Rust,
            LanguageArg::Python => Language::Python,
            LanguageArg::Javascript => Language::JavaScript,
            LanguageArg::Typescript => Language::TypeScript,
            LanguageArg::C => Language::C,
            LanguageArg::Cpp => Language::Cpp,
            LanguageArg::Zig => Language::Zig,
            LanguageArg::Go => Language::Go,
            LanguageArg::Assemblyscript => Language::AssemblyScript,
        }
    }
}

/// The values of `--kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// The dialect of a server.
    Api,
    /// A source of conversations.
    Dataset,
}

impl From<KindArg> for Role {
    fn from(arg: KindArg) -> Role {
        match arg {
            KindArg::Api => Role::Api,
            KindArg::Dataset => Role::Dataset,
        }
    }
}

/// The flags of `tickrate plugin build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Folders of plugins, or of cargo workspaces whose plugins are then all built.
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

/// Runs the subcommand; what it has to say goes to the standard output.
///
/// # Errors
/// If a file cannot be used, or something could not be made; each error is one line.
pub fn run(args: &PluginArgs) -> Result<Exit, AppError> {
    let (text, exit) = match &args.command {
        PluginCommand::New(args) => (new(args)?, Exit::Success),
        PluginCommand::Build(args) => {
            (build(args).map_err(|error| AppError::new(Exit::Failed, error.to_string()))?, Exit::Success)
        }
        PluginCommand::Inspect(args) => examine::run_inspect(args)?,
        PluginCommand::Check(args) => examine::run_check(args)?,
        PluginCommand::Bench(args) => examine::run_bench(args)?,
    };
    super::print(text.as_bytes())?;
    Ok(exit)
}

fn new(args: &NewArgs) -> Result<String, AppError> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let spec = NewSpec { name: args.name.clone(), language: args.lang.into(), kind: args.kind.into(), dir };
    let files = scaffold::create(&spec).map_err(|error| AppError::usage(error.to_string()))?;
    let mut text = String::new();
    for file in files {
        text.push_str(&format!("{}\n", file.display()));
    }
    text.push_str(&format!("\nNext: {}\n", spec.dir.join("README.md").display()));
    Ok(text)
}

fn build(args: &BuildArgs) -> Result<String, BuildError> {
    let toolchain = args.toolchain.map_or_else(from_environment, Ok)?;
    let spec = BuildSpec { paths: args.paths.clone(), out: args.out.clone(), toolchain: toolchain.into() };
    let line = |built: build::Built| {
        format!("{:<24} {:>12} bytes  {}\n", built.name, grouped(built.bytes), built.path.display())
    };
    Ok(build::build(&spec)?.into_iter().map(line).collect())
}

fn from_environment() -> Result<ToolchainArg, BuildError> {
    match std::env::var("TICKRATE_PLUGIN_TOOLCHAIN") {
        Err(_) => Ok(ToolchainArg::Auto),
        Ok(name) => ToolchainArg::from_str(&name, true).map_err(|_| BuildError::UnknownToolchain(name)),
    }
}
