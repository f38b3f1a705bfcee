//! A simulated inference server with known timing.
