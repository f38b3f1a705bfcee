//! The ways in which the simulator misbehaves when it is asked to.

use std::fmt;
use std::str::FromStr;

use super::SimError;

/// One way of misbehaving. [`FAULTS`] says what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table `FAULTS` describes every one of them")]
pub enum Fault {
    Http401,
    Http404,
    Http429,
    Http500Html,
    Http503,
    NoDone,
    NoDoneFinished,
    Cut,
    ErrorEvent,
    InvalidJson,
    InvalidUtf8,
    Comments,
    Crlf,
    MultilineData,
    ByteByByte,
    HugeFrame,
    NoUsage,
    PartialUsage,
    ContinuousUsage,
    UsageOnFinish,
    Empty,
    Hang,
    Stall,
    Reset,
    EchoAuth,
    ToolCalls,
}

/// Every fault with the name it is asked for by and what it does.
pub const FAULTS: [(Fault, &str, &str); 26] = [
    (Fault::Http401, "http_401", "status 401 with a JSON error"),
    (Fault::Http404, "http_404", "status 404 with a JSON error"),
    (Fault::Http429, "http_429", "status 429 with a JSON error and Retry-After: 1"),
    (Fault::Http500Html, "http_500_html", "status 500 with an HTML page"),
    (Fault::Http503, "http_503", "status 503 with a JSON error"),
    (Fault::NoDone, "no_done", "the stream ends cleanly with no finish reason and no end marker"),
    (Fault::NoDoneFinished, "no_done_finished", "the stream has a finish reason and no end marker"),
    (Fault::Cut, "cut", "the connection is closed in the middle of a frame"),
    (Fault::ErrorEvent, "error_event", "an error inside the reply of status 200, after a few tokens"),
    (Fault::InvalidJson, "invalid_json", "an extra frame of broken JSON between good ones"),
    (Fault::InvalidUtf8, "invalid_utf8", "a frame whose text is not UTF-8"),
    (Fault::Comments, "comments", "SSE comment lines between frames and inside of them"),
    (Fault::Crlf, "crlf", "lines end in CR LF"),
    (Fault::MultilineData, "multiline_data", "the JSON of a frame is split over several data: lines"),
    (Fault::ByteByByte, "byte_by_byte", "every byte of the body is written by itself"),
    (Fault::HugeFrame, "huge_frame", "one frame holds 4 MiB of text"),
    (Fault::NoUsage, "no_usage", "no token counts"),
    (Fault::PartialUsage, "partial_usage", "only the prompt's tokens are counted"),
    (Fault::ContinuousUsage, "continuous_usage", "token counts in every frame"),
    (Fault::UsageOnFinish, "usage_on_finish", "token counts in the frame with the finish reason"),
    (Fault::Empty, "empty", "status 200 with an empty body"),
    (Fault::Hang, "hang", "no answer; the connection stays open"),
    (Fault::Stall, "stall", "stops after a few tokens; the connection stays open"),
    (Fault::Reset, "reset", "the connection is reset (RST) before any reply"),
    (Fault::EchoAuth, "echo_auth", "status 401 whose body repeats the Authorization header"),
    (Fault::ToolCalls, "tool_calls", "a chat answers with a call to a tool"),
];

impl Fault {
    /// The name it is asked for by.
    pub fn name(self) -> &'static str {
        FAULTS.iter().find(|entry| entry.0 == self).map_or("unnamed", |entry| entry.1)
    }

    /// All names with what they do, one a line, as `--help` shows them.
    pub fn help() -> String {
        let lines = FAULTS.iter().map(|(_, name, what)| format!("  {name:<17} {what}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = SimError;

    /// Finds the fault of that name.
    fn from_str(name: &str) -> Result<Fault, SimError> {
        let found = FAULTS.iter().find(|entry| entry.1 == name);
        found.map(|entry| entry.0).ok_or_else(|| SimError::UnknownFault(name.to_string()))
    }
}

/// A fault that befalls a share of all requests: `cut:0.05`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultShare {
    /// What goes wrong.
    pub fault: Fault,
    /// The share of requests, from 0 to 1.
    pub rate: f64,
}

impl FromStr for FaultShare {
    type Err = SimError;

    /// Reads `NAME:RATE`, or `NAME` for every request.
    fn from_str(text: &str) -> Result<FaultShare, SimError> {
        let (name, rate) = text.split_once(':').unwrap_or((text, "1"));
        let fault = name.parse()?;
        match rate.parse::<f64>() {
            Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(FaultShare { fault, rate }),
            _ => Err(SimError::FaultRate(text.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for (fault, name, _) in FAULTS {
            assert_eq!(name.parse::<Fault>().unwrap(), fault);
            assert_eq!(fault.to_string(), name);
        }
        assert!(matches!("teapot".parse::<Fault>(), Err(SimError::UnknownFault(_))));
    }

    #[test]
    fn shares_are_read_and_rates_checked() {
        let share: FaultShare = "cut:0.05".parse().unwrap();
        assert_eq!(share, FaultShare { fault: Fault::Cut, rate: 0.05 });
        assert_eq!("hang".parse::<FaultShare>().unwrap().rate, 1.0);
        for text in ["cut:2", "cut:-1", "cut:x", "cut:nan"] {
            assert!(matches!(text.parse::<FaultShare>(), Err(SimError::FaultRate(_))), "{text}");
        }
    }
}
