//! The composition root: the only module that knows all the parts.

mod compare;
mod connection;
mod dry_run;
mod exit;
mod fetch;
mod folder;
mod gates;
mod outputs;
mod parts;
mod perf;
mod reparse;
mod replay;
mod replied;
mod results;
mod signals;
mod stages;
mod stored;
mod visualize;

pub use compare::{CompareSpec, Format, compare};
pub use dry_run::dry_run;
pub use exit::{AppError, Exit};
pub use parts::plugin_services;
pub use perf::perf;
pub use reparse::{ReparseSpec, reparse};
pub use replied::Replied;
pub use stored::{recover, report};
