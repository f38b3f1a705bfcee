//! Runs whose dataset says when each request arrives.

use super::exit::AppError;
use crate::config::Config;
use crate::contract::Dataset;
use crate::engine::schedule::ArrivalSpec;

/// Whether the requests of the stages are due when the dataset says.
pub(super) fn replays(config: &Config) -> bool {
    config.load.arrivals(config.load.rates_rps.first().copied()) == ArrivalSpec::Recorded
}

/// Fits the stages to the dataset: a recording is replayed once and not begun again, so that there
/// are no more requests than it holds. Returns what the user should know.
///
/// # Errors
/// If the dataset and the kind of load do not go together.
pub(super) fn fit(config: &mut Config, dataset: &dyn Dataset) -> Result<Option<String>, AppError> {
    let facts = dataset.facts();
    let name = dataset.name();
    if !facts.arrivals {
        if replays(config) {
            return Err(AppError::usage(format!(
                "--open-loop: the dataset \"{name}\" does not say when its conversations arrive; give --rate"
            )));
        }
        return Ok(None);
    }
    if !config.load.open_loop {
        if name == "workload_trace" {
            return Err(AppError::usage(
                "--dataset: workload_trace requires open-loop mode; add --open-loop to your command",
            ));
        }
        return Ok(Some(format!(
            "the moments of \"{name}\" do not count in a closed loop; add --open-loop to replay them"
        )));
    }
    if !replays(config) {
        return Ok(Some(format!(
            "--rate takes the place of the moments of \"{name}\"; leave it out to replay them"
        )));
    }
    let Some(held) = facts.conversations else { return Ok(None) };
    let warmup = config.load.warmup;
    for number in &mut config.load.number {
        *number = (*number).min(held.saturating_sub(warmup.of(*number)).max(1));
    }
    Ok(None)
}
