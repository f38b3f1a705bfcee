//! End to end: the real binary against real servers over real sockets.

mod apis;
mod config;
mod conversations;
mod datasets;
mod flags;
mod folders;
mod hubs;
mod interrupts;
mod languages;
mod load;
mod off_path;
mod perf;
mod plugin_tool;
mod plugins;
mod python;
mod raw_server;
mod real_server;
mod report;
mod requests;
mod running;
mod secrets;
mod servers;
mod streams;
mod twin;
mod wheel;
mod words;
