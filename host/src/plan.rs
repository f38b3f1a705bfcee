//! Config → stages. It can be looked at without running anything.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::schedule::ArrivalSpec;
use crate::record::StageHeader;

/// The stages of a run, in order, each with its own folder below `folder`.
pub fn stages(config: &Config, folder: &Path) -> Vec<Arc<StageHeader>> {
    let mut uses: HashMap<String, u32> = HashMap::new();
    let loads = config.load.stages().into_iter().enumerate();
    loads
        .map(|(index, load)| {
            let used = uses.entry(load.name.clone()).or_default();
            *used += 1;
            let name = if *used > 1 { format!("{}_{used}", load.name) } else { load.name };
            Arc::new(StageHeader {
                index,
                folder: folder.join(&name),
                name,
                parallel: load.parallel,
                rate_rps: load.rate_rps,
                number: load.number,
                warmup: config.load.warmup.of(load.number),
                goodput: config.load.goodput.clone(),
                conversations: config.prompt.multi_turn,
            })
        })
        .collect()
}

/// How long a stage takes, as far as that is known before it has run. In seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// Its arrivals take this long.
    About(f64),
    /// Its arrivals take this long if the server keeps up.
    AtLeast(f64),
    /// It starts no request after this.
    AtMost(f64),
    /// As many replies as this, one after the other.
    InTurn(u64),
    /// As long as the recording that it replays.
    Recorded,
}

impl Expected {
    /// What is certain of it, in seconds.
    pub fn known_s(&self) -> f64 {
        match self {
            Expected::About(s) | Expected::AtLeast(s) => *s,
            Expected::AtMost(_) | Expected::InTurn(_) | Expected::Recorded => 0.0,
        }
    }
}

/// How long `stage` takes: the arrivals of its warm-up, and then its own.
pub fn expected(config: &Config, stage: &StageHeader) -> Expected {
    let load = &config.load;
    match load.arrivals(stage.rate_rps) {
        ArrivalSpec::Paced { rate, .. } => {
            let measured_s = rate.time_of(stage.number as f64);
            let measured_s = load.duration_s.map_or(measured_s, |duration_s| duration_s.min(measured_s));
            let all_s = rate.time_of(stage.warmup as f64) + measured_s;
            if load.open_loop { Expected::About(all_s) } else { Expected::AtLeast(all_s) }
        }
        _ if load.duration_s.is_some() => Expected::AtMost(load.duration_s.unwrap_or_default()),
        ArrivalSpec::Unpaced => {
            let slots = u64::from(stage.parallel.unwrap_or(1)).max(1);
            Expected::InTurn(stage.number.div_ceil(slots) + stage.warmup.div_ceil(slots))
        }
        ArrivalSpec::Recorded => Expected::Recorded,
    }
}
