//! Runs whose dataset says when each request arrives.

use super::exit::AppError;
use crate::config::{Config, Warmup};
use crate::contract::Dataset;
use crate::dataset::describe;
use crate::engine::schedule::ArrivalSpec;

/// Whether the requests of the stages are due when the dataset says.
pub(super) fn replays(config: &Config) -> bool {
    let rate_rps = config.load.rates_rps.first().copied();
    config.sla.is_none() && config.load.arrivals(rate_rps) == ArrivalSpec::Recorded
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
        // What a component says of its conversations is only known once they are drawn.
        let built_in = config.prompt.prompt.is_some() || describe(&config.prompt.dataset).is_some();
        if built_in && replays(config) {
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
    let (warmup, given) = (config.load.warmup, config.load.number_given);
    let mut warms = Vec::new();
    for number in &mut config.load.number {
        if !given {
            *number = held;
        }
        let warm = warmup.of(*number);
        if warm >= held {
            return Err(AppError::usage(format!(
                "--warmup-num: {warm} leaves nothing of the {held} requests of \"{name}\" to measure; lower it"
            )));
        }
        *number = (*number).min(held - warm);
        warms.push(warm);
    }
    // A share was one of the number before the warm-up was taken out of it.
    if let [first, rest @ ..] = &warms[..]
        && rest.iter().all(|warm| warm == first)
    {
        config.load.warmup = Warmup::Count(*first);
    }
    Ok(None)
}
