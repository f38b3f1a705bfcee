//! End to end: the real binary against real servers over real sockets.

mod datasets;
mod perf;
mod plugins;
mod running;
mod twin;
