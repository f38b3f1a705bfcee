//! tickrate: a benchmark harness for LLM inference servers.
//!
//! ```text
//! args → config → plan → StageSpec
//!                           │
//!    dataset ─Conversation→ engine/prepare ─(Api::shape)→ HttpRequest ─bounded queue→ ┐
//!                                                                                     │
//!    engine/schedule ─due times→ engine/worker ──(Transport)──→ http/client ─→ Timeline
//!                                                                                     │
//!               engine/settle ─(Api::parse)→ Outcome → RequestRecord → Event ─bounded queue→ output/*
//! ```
//!
//! Modules import in one direction, by rank; `host/tests/layering.rs` holds the table and checks it.
#![deny(missing_docs)]

pub mod allocator;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contract;
pub mod dataset;
pub mod engine;
pub mod gate;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod output;
pub mod panics;
pub mod plan;
pub mod plugin;
pub mod priority;
pub mod record;
pub mod sim;
pub mod stamp;
pub mod tokenizer;
pub mod tune;
pub mod units;
