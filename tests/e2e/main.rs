//! End to end: the real binary against real servers over real sockets.

mod apis;
mod flags;
mod folders;
mod interrupts;
mod load;
mod off_path;
mod perf;
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
mod words;
