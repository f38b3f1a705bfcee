//! What a simulated server is like.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::{Distribution, FaultShare};

/// When a chat stream's first frame, which has a role and no text, is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoleFrame {
    /// In the same moment as the first token, just before it.
    #[default]
    On,
    /// As soon as the request leaves the queue, long before the first token.
    Early,
    /// Not at all.
    Off,
}

impl FromStr for RoleFrame {
    type Err = SimError;

    /// Reads `on`, `early` or `off`.
    fn from_str(text: &str) -> Result<RoleFrame, SimError> {
        match text {
            "on" => Ok(RoleFrame::On),
            "early" => Ok(RoleFrame::Early),
            "off" => Ok(RoleFrame::Off),
            other => Err(SimError::RoleFrame(other.to_string())),
        }
    }
}

/// What a simulated server is like. The default listens on a free port of the loopback interface
/// and answers as fast as it can.
#[derive(Clone)]
pub struct SimSpec {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// How many threads serve, at least 1.
    pub threads: usize,
    /// The name of the one model that `GET /v1/models` lists.
    pub model: String,
    /// Milliseconds from leaving the queue to the first token, before the cost of the prefill.
    pub ttft: Distribution,
    /// Milliseconds between two frames with tokens: the time of one decoding step.
    pub itl: Distribution,
    /// Tokens in each frame, at least 1.
    pub tokens_per_frame: u32,
    /// Microseconds added to the TTFT for each input token that is not cached.
    pub prefill_us_per_token: f64,
    /// How many requests generate at once; the rest queue in order of arrival. 0 is no limit.
    pub slots: usize,
    /// The share by which the ITL grows for each request running beside the first.
    pub batch_slowdown: f64,
    /// Blocks of 16 tokens that the prefix cache holds; `None` is no cache.
    pub prefix_cache_blocks: Option<usize>,
    /// Whether token counts are reported.
    pub usage: bool,
    /// Tokens of an answer. A constant counts only where the request sets no limit; a
    /// distribution is drawn from for each request, and the limit cuts it short.
    pub output_tokens: Distribution,
    /// How many tokens at the start of a chat's answer are reasoning.
    pub reasoning_tokens: u64,
    /// When the role frame of a chat stream is sent.
    pub role_frame: RoleFrame,
    /// If set, requests without `Authorization: Bearer KEY` or `X-Api-Key: KEY` are refused with
    /// status 401.
    pub api_key: Option<String>,
    /// Faults that befall a share of the requests; the first one drawn counts.
    pub faults: Vec<FaultShare>,
    /// The seed of every draw.
    pub seed: u64,
    /// The file for the ground truth, one JSON line for each request.
    pub truth: Option<PathBuf>,
}

impl Default for SimSpec {
    fn default() -> SimSpec {
        SimSpec {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            threads: 1,
            model: "tickrate-sim".to_string(),
            ttft: Distribution::Constant(0.0),
            itl: Distribution::Constant(0.0),
            tokens_per_frame: 1,
            prefill_us_per_token: 0.0,
            slots: 0,
            batch_slowdown: 0.0,
            prefix_cache_blocks: None,
            usage: true,
            output_tokens: Distribution::Constant(128.0),
            reasoning_tokens: 0,
            role_frame: RoleFrame::On,
            api_key: None,
            faults: Vec::new(),
            seed: 0,
            truth: None,
        }
    }
}

impl SimSpec {
    /// Checks the figures that a type cannot.
    pub fn validate(&self) -> Result<(), SimError> {
        let bad = |flag, need| Err(SimError::Figure { flag, need });
        if self.threads == 0 || self.threads > 256 {
            return bad("--threads", "a number from 1 to 256");
        }
        if self.tokens_per_frame == 0 || self.tokens_per_frame > 65_536 {
            return bad("--tokens-per-frame", "a number from 1 to 65536");
        }
        if !(0.0..=1e9).contains(&self.prefill_us_per_token) {
            return bad("--prefill-us-per-token", "a number of microseconds from 0 to 1e9");
        }
        if !(0.0..=1000.0).contains(&self.batch_slowdown) {
            return bad("--batch-slowdown", "a share from 0 to 1000");
        }
        if self.slots > tokio::sync::Semaphore::MAX_PERMITS {
            return bad("--slots", "a smaller number, or 0 for no limit");
        }
        if self.prefix_cache_blocks == Some(0) {
            return bad("--prefix-cache-blocks", "at least 1");
        }
        Ok(())
    }
}

/// Why a simulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A flag has a value out of its range.
    #[error("{flag:?} is out of range: give {need}")]
    Figure {
        /// The flag.
        flag: &'static str,
        /// What it needs.
        need: &'static str,
    },
    /// A text that is no distribution.
    #[error(
        "{0:?} is not a distribution: give a number of at least 0, \"uniform:LOW,HIGH\", \
         \"normal:MEAN,DEVIATION\", \"lognormal:MEDIAN,SIGMA\" or \"exp:MEAN\""
    )]
    Distribution(String),
    /// A text that is no way to send the role frame.
    #[error("{0:?} is not a value of \"--role-frame\": give \"on\", \"early\" or \"off\"")]
    RoleFrame(String),
    /// A name that no fault has.
    #[error("no fault is called {0:?}: \"tickrate sim --help\" lists their names")]
    UnknownFault(String),
    /// A share of requests that is none.
    #[error("{0:?} has no rate from 0 to 1: give \"--fault NAME:RATE\", such as \"cut:0.05\"")]
    FaultRate(String),
    /// The address could not be listened on.
    #[error("cannot listen on \"{address}\" ({source}): give another \"--port\", or 0 for a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file for the ground truth could not be made.
    #[error("cannot write \"{}\" ({source}): give another path with \"--truth\"", path.display())]
    Truth {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no thread, runtime or timer.
    #[error("cannot start a serving thread ({0}): lower \"--threads\" or raise the limits of the system")]
    Thread(std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_figures_out_of_range_are_named() {
        assert!(SimSpec::default().validate().is_ok());
        let spec = SimSpec { tokens_per_frame: 0, ..SimSpec::default() };
        assert!(spec.validate().unwrap_err().to_string().contains("--tokens-per-frame"));
        let spec = SimSpec { batch_slowdown: f64::NAN, ..SimSpec::default() };
        assert!(spec.validate().unwrap_err().to_string().contains("--batch-slowdown"));
    }
}
