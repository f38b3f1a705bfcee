//! Flags of `evalscope perf` that a command line may still have. Those that tune its own insides have
//! nothing to tune here: they are taken, and a note says so. Those that something else does here are
//! refused with its name.

use clap::Args;
use serde_json::{Map, Value};

use super::to_config::object;
use crate::config::Problem;

/// The flags; the help does not list them.
#[derive(Debug, Clone, Args)]
pub(super) struct ForeignArgs {
    /// Options of conversations; --dataset-args holds them now
    #[arg(long, value_name = "JSON", hide = true, help_heading = "Of evalscope")]
    multi_turn_args: Option<String>,
    /// Processes that make prompts
    #[arg(long, value_name = "N", allow_negative_numbers = true, hide = true, help_heading = "Of evalscope")]
    num_workers: Option<i64>,
    /// Rows between commits to a database
    #[arg(long, value_name = "N", hide = true, help_heading = "Of evalscope")]
    db_commit_interval: Option<u64>,
    /// Size of a queue of results
    #[arg(long, value_name = "N", hide = true, help_heading = "Of evalscope")]
    queue_size_multiplier: Option<u64>,
    /// Tasks for each request in flight
    #[arg(long, value_name = "N", hide = true, help_heading = "Of evalscope")]
    in_flight_task_multiplier: Option<u64>,
    /// Port of a server that it starts
    #[arg(long, value_name = "N", hide = true, help_heading = "Of evalscope")]
    port: Option<u16>,
    /// How a server that it starts attends
    #[arg(long, value_name = "NAME", hide = true, help_heading = "Of evalscope")]
    attn_implementation: Option<String>,
    /// Write the progress to a file
    #[arg(long, hide = true, help_heading = "Of evalscope")]
    enable_progress_tracker: bool,
}

/// The member of `--dataset-args` that says how many processes make prompts.
const NUM_WORKERS: &str = "num_workers";

impl ForeignArgs {
    /// What the user should know about flags that do nothing.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.multi_turn_args.is_some() {
            notes.push(
                "--multi-turn-args is deprecated; its values were folded into --dataset-args".to_string(),
            );
        }
        for (flag, given, why) in [
            ("--num-workers", self.num_workers.is_some(), "prompts are made ahead by one thread"),
            ("--db-commit-interval", self.db_commit_interval.is_some(), "there is no database"),
            ("--queue-size-multiplier", self.queue_size_multiplier.is_some(), "the queues need no tuning"),
            ("--in-flight-task-multiplier", self.in_flight_task_multiplier.is_some(), "a slot is one task"),
        ] {
            if given {
                notes.push(format!("{flag} has no effect here: {why}"));
            }
        }
        notes
    }

    /// Puts what `--multi-turn-args` gives into `--dataset-args`, where that does not give it itself.
    pub(super) fn fold_into(&self, dataset_args: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
        let folded = object("--multi-turn-args", self.multi_turn_args.as_deref(), problems);
        for (name, value) in folded {
            dataset_args.entry(name).or_insert(value);
        }
        let of_a_server = "tickrate starts no server; start one and give its address as --url";
        for (flag, given, instead) in [
            ("--port", self.port.is_some(), of_a_server),
            ("--attn-implementation", self.attn_implementation.is_some(), of_a_server),
            (
                "--enable-progress-tracker",
                self.enable_progress_tracker,
                "--progress-file FILE takes its place; see docs/live.md",
            ),
        ] {
            if given {
                problems.push(Problem::new(flag, instead));
            }
        }
        let within = dataset_args.shift_remove(NUM_WORKERS).and_then(|workers| workers.as_i64());
        if within.or(self.num_workers).is_some_and(|workers| workers < 0) {
            problems.push(Problem::new("--num-workers", "must be >= 0"));
        }
    }
}
