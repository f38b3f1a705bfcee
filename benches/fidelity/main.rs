//! The fidelity bench: runs tickrate against its own simulator, which knows when it wrote each
//! token, and a raw-socket reader under the same load beside it. It prints, and with `--write` puts
//! into `docs/accuracy.md`, how far from the truth each of them is and what it costs.
//!
//! ```text
//! cargo bench --bench fidelity -- [--quick] [--write] [--rounds N] [--streams A,B] [--itl MS,MS]
//!                                 [--only PART,PART] [--shield] [--best] [--plugin FILE] [--program FILE]
//! ```

mod arrivals;
mod client;
mod floor;
mod launch;
mod matrix;
mod results;
mod server;
mod table;
mod truth;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use crate::launch::{Cores, Standing};
use crate::matrix::Bench;

/// Why the bench could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not come up, or did not end.
    #[error("the simulator does not start or does not stop")]
    Server,
    /// A client failed.
    #[error("a client failed: {0}")]
    Client(String),
    /// The simulator's file is not understood.
    #[error(
        "the simulator's ground truth has a line without what is needed: {0}; the kernel must stamp what arrives"
    )]
    Truth(serde_json::Error),
    /// A run that was to send something sent nothing.
    #[error("no request has arrived")]
    NothingArrived,
    /// A part of the tables is not to replace them all.
    #[error("--write takes the whole bench: leave out --only and --quick")]
    Fragment,
    /// A run's records are missing.
    #[error("a run left no records that can be read")]
    Records,
    /// The document has no place for the tables.
    #[error("docs/accuracy.md has no markers to write between")]
    Markers,
    /// A flag is not known.
    #[error("\"{0}\" is not a flag with a value that this bench knows")]
    Flag(String),
}

impl BenchError {
    /// Makes an error of what the system said when `what` was tried.
    pub fn system(what: &'static str) -> impl Fn(io::Error) -> BenchError {
        move |source| BenchError::System { what, source }
    }
}

/// A part of the bench that can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A server that keeps time, at several numbers of streams.
    Matrix,
    /// Long prompts and long replies.
    Large,
    /// A server as fast as it can.
    Saturated,
    /// Several tokens in a frame.
    Several,
    /// Schedules of arrivals.
    Paced,
}

impl Part {
    const ALL: [Part; 5] = [Part::Matrix, Part::Large, Part::Saturated, Part::Several, Part::Paced];
}

impl FromStr for Part {
    type Err = ();

    fn from_str(text: &str) -> Result<Part, ()> {
        let named = |part: &Part| format!("{part:?}").eq_ignore_ascii_case(text);
        Part::ALL.into_iter().find(named).ok_or(())
    }
}

/// How the bench is run.
#[derive(Debug)]
pub struct Options {
    quick: bool,
    write: bool,
    rounds: usize,
    streams: Vec<usize>,
    itls: Vec<u32>,
    standing: Standing,
    plugin: Option<PathBuf>,
    /// The binary under test: this build's, or another to compare it with.
    program: PathBuf,
    /// The parts that are run.
    parts: Vec<Part>,
    /// Whether the best round counts for each figure, and not the one in the middle.
    best: bool,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, BenchError> {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests/openai-chat.wasm");
        let mut options = Options {
            quick: false,
            write: false,
            rounds: 0,
            streams: Vec::new(),
            itls: Vec::new(),
            standing: Standing::Plain,
            plugin: Some(plugin).filter(|plugin| plugin.exists()),
            program: env!("CARGO_BIN_EXE_tickrate").into(),
            parts: Vec::new(),
            best: false,
        };
        let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
        while let Some(flag) = arguments.next() {
            let wrong = || BenchError::Flag(flag.clone());
            let mut value = || arguments.next().ok_or_else(wrong);
            match flag.as_str() {
                // Cargo says this to every bench.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--write" => options.write = true,
                "--best" => options.best = true,
                "--only" => options.parts = list(&value()?).ok_or_else(wrong)?,
                "--rounds" => options.rounds = value()?.parse().map_err(|_| wrong())?,
                "--shield" => options.standing = Standing::Shielded,
                "--plugin" => options.plugin = Some(value()?.into()),
                "--program" => options.program = value()?.into(),
                "--streams" => options.streams = list(&value()?).ok_or_else(wrong)?,
                "--itl" => options.itls = list(&value()?).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        let quick = options.quick;
        if options.write && (quick || !options.parts.is_empty()) {
            return Err(BenchError::Fragment);
        }
        if options.rounds == 0 {
            options.rounds = if quick { 1 } else { 3 };
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.to_vec();
        }
        if options.streams.is_empty() {
            options.streams = if quick { vec![64, 256] } else { vec![1, 16, 64, 256, 1024] };
        }
        if options.itls.is_empty() {
            options.itls = if quick { vec![5] } else { vec![5, 20] };
        }
        Ok(options)
    }
}

fn list<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|item| item.parse().ok()).collect()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    match arguments.peek().and_then(|first| first.to_str()) {
        Some(launch::MEASURE) => return launch::measure(arguments.skip(1)),
        Some(floor::FLOOR) => return floor::main(arguments.skip(1)),
        _ => {}
    }
    match Options::parse(arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fidelity: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), BenchError> {
    let folder = tempfile::tempdir().map_err(BenchError::system("make a temporary folder"))?;
    let bench = Bench { options, cores: Cores::divide(), folder: folder.path() };
    let before = load_average();
    eprintln!("fidelity: load of the machine before: {before}");
    let mut results = bench.run()?;
    results.load_average = [before, load_average()];
    eprintln!("fidelity: load of the machine after: {}", results.load_average[1]);
    let text = table::render(&results);
    println!("{text}");
    if options.write {
        table::write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/accuracy.md"), &text)?;
    }
    Ok(())
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_string()
}
