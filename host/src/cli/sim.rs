//! `tickrate sim`: a simulated inference server to try a benchmark on.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::sim::{Distribution, Fault, FaultShare, RoleFrame, Sim, SimError, SimSpec};

/// Serve a simulated LLM with known timing, to try a benchmark on
///
/// Answers POST /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings, /v1/rerank,
/// /v1/messages (Anthropic), /api/v1/services/aigc/text-generation/generation (DashScope), /api/chat
/// (Ollama), /generate_stream and /generate (TGI), /pebble/talk (what the example plugins speak), and
/// GET /v1/models and /health, until Ctrl-C or SIGTERM.
///
/// Times are milliseconds and are given as a number, uniform:LOW,HIGH, normal:MEAN,DEVIATION,
/// lognormal:MEDIAN,SIGMA or exp:MEAN. A text counts one token for every four bytes of each of its
/// words, a chat four tokens more for each message.
#[derive(Debug, Args)]
#[command(after_long_help = faults_help())]
pub struct SimArgs {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// The port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8801)]
    pub port: u16,

    /// How many threads serve
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,

    /// The model that /v1/models lists
    #[arg(long, value_name = "NAME", default_value = "tickrate-sim")]
    pub model: String,

    /// Refuse requests without this key (Authorization: Bearer KEY) with status 401
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,

    /// Milliseconds from the start of a request to its first token, the prefill not included
    #[arg(long, value_name = "MS", default_value = "50", help_heading = "Timing")]
    pub ttft: Distribution,

    /// Milliseconds between frames with tokens (one decoding step each)
    #[arg(long, value_name = "MS", default_value = "10", help_heading = "Timing")]
    pub itl: Distribution,

    /// As fast as it can: the same as --ttft 0 --itl 0
    #[arg(long, help_heading = "Timing")]
    pub max_speed: bool,

    /// Microseconds added to the TTFT for each input token that is not cached
    #[arg(long, value_name = "US", default_value_t = 0.0, help_heading = "Timing")]
    pub prefill_us_per_token: f64,

    /// How many requests generate at once, the rest queueing in order of arrival; 0 is no limit
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Timing")]
    pub slots: usize,

    /// The share by which the ITL grows for each request running beside the first (0.1 is 10 %)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Timing")]
    pub batch_slowdown: f64,

    /// Tokens of an answer: a number, for requests that set no max_tokens, or a distribution, for
    /// all requests, which max_tokens cuts short
    #[arg(long, value_name = "N", default_value = "128", help_heading = "Answers")]
    pub output_tokens: Distribution,

    /// Tokens in each frame, as with speculative decoding
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Answers")]
    pub tokens_per_frame: u32,

    /// How many tokens at the start of a chat's answer are reasoning
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Answers")]
    pub reasoning_tokens: u64,

    /// When a chat stream's frame without text is sent: on (with the first token), early (when
    /// the request starts) or off
    #[arg(long, value_name = "WHEN", default_value = "on", help_heading = "Answers")]
    pub role_frame: RoleFrame,

    /// Report no token counts
    #[arg(long, help_heading = "Answers")]
    pub no_usage: bool,

    /// Keep a prefix cache: cached tokens cost no prefill and are reported
    #[arg(long, help_heading = "Answers")]
    pub prefix_cache: bool,

    /// Blocks of 16 tokens that the prefix cache holds
    #[arg(long, value_name = "N", default_value_t = 65_536, help_heading = "Answers")]
    pub prefix_cache_blocks: usize,

    /// The seed of every draw
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Answers")]
    pub seed: u64,

    /// Let a fault befall a share of the requests, 0 to 1 (cut:0.05); may be given several times
    #[arg(long, value_name = "NAME:RATE", help_heading = "Faults and truth")]
    pub fault: Vec<FaultShare>,

    /// Write what was really sent and when to this file, one JSON line for each request
    #[arg(long, value_name = "FILE", help_heading = "Faults and truth")]
    pub truth: Option<PathBuf>,
}

fn faults_help() -> String {
    format!(
        "Faults, for --fault, the header \"x-sim-fault\" or the field \"sim_fault\" of a request's body:\n{}",
        Fault::help()
    )
}

/// Why the simulator could not serve.
#[derive(Debug, thiserror::Error)]
pub enum SimRunError {
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] SimError),
    /// The system did not let it wait for its end.
    #[error("cannot wait for Ctrl-C ({0}): check the limits of the system")]
    Signals(std::io::Error),
    /// The line that says where it listens could not be printed.
    #[error("cannot print to standard output ({0}): redirect it to a place that can be written")]
    Print(std::io::Error),
}

impl SimArgs {
    /// The server that these flags describe.
    pub fn into_spec(self) -> SimSpec {
        let speed = |given| if self.max_speed { Distribution::Constant(0.0) } else { given };
        SimSpec {
            host: self.host,
            port: self.port,
            threads: self.threads,
            model: self.model,
            ttft: speed(self.ttft),
            itl: speed(self.itl),
            tokens_per_frame: self.tokens_per_frame,
            prefill_us_per_token: self.prefill_us_per_token,
            slots: self.slots,
            batch_slowdown: self.batch_slowdown,
            prefix_cache_blocks: self.prefix_cache.then_some(self.prefix_cache_blocks),
            usage: !self.no_usage,
            output_tokens: self.output_tokens,
            reasoning_tokens: self.reasoning_tokens,
            role_frame: self.role_frame,
            api_key: self.api_key,
            faults: self.fault,
            seed: self.seed,
            truth: self.truth,
        }
    }
}

/// Serves until Ctrl-C or SIGTERM. When it is ready it prints one line:
/// `tickrate sim listening on http://127.0.0.1:8801`.
pub fn run(args: SimArgs) -> Result<(), SimRunError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SimRunError::Signals)?;
    runtime.block_on(async {
        // Before the line is printed, so that whoever reads it may stop the server at once.
        let terminate = tokio::signal::unix::SignalKind::terminate();
        let mut terminate = tokio::signal::unix::signal(terminate).map_err(SimRunError::Signals)?;
        let sim = Sim::start(args.into_spec())?;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "tickrate sim listening on {}", sim.url()).map_err(SimRunError::Print)?;
        stdout.flush().map_err(SimRunError::Print)?;
        drop(stdout);
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.map_err(SimRunError::Signals)?,
            _ = terminate.recv() => {}
        }
        sim.stop();
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn parse(flags: &[&str]) -> Result<SimSpec, clap::Error> {
        let command = SimArgs::augment_args(Command::new("sim"));
        let matches = command.try_get_matches_from([&["sim"], flags].concat())?;
        Ok(SimArgs::from_arg_matches(&matches)?.into_spec())
    }

    #[test]
    fn flags_become_a_valid_spec() {
        SimArgs::augment_args(Command::new("sim")).debug_assert();
        let spec = parse(&[]).unwrap();
        assert!(spec.validate().is_ok());
        assert_eq!((spec.port, spec.ttft), (8801, Distribution::Constant(50.0)));
        let flags =
            ["--max-speed", "--prefix-cache", "--fault", "cut:0.1", "--fault", "hang:0.2", "--no-usage"];
        let spec = parse(&flags).unwrap();
        assert_eq!((spec.ttft, spec.itl), (Distribution::Constant(0.0), Distribution::Constant(0.0)));
        assert_eq!((spec.prefix_cache_blocks, spec.faults.len(), spec.usage), (Some(65_536), 2, false));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for flags in [["--ttft", "soon"], ["--fault", "teapot:1"], ["--role-frame", "late"], ["--port", "x"]]
        {
            assert!(parse(&flags).is_err(), "{flags:?}");
        }
    }
}
