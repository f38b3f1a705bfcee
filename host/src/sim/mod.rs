//! A simulated inference server with known timing, which misbehaves when asked to and records
//! when it really wrote each token.
//!
//! ```text
//! server ─connection→ serve ─Ask→ generate ─(Writer, Sink)→ socket
//!  threads     routes, refusals     │  slot ← scheduler      due times ← pacer
//!                                   └─ TruthRecord ─channel→ truth, a thread that writes
//! ```

mod ask;
mod distribution;
mod faults;
mod framer;
mod generate;
mod http1;
mod pacer;
mod prompt;
mod protocol;
mod scheduler;
mod serve;
mod server;
mod spec;
mod truth;

pub use distribution::Distribution;
pub use faults::{FAULTS, Fault, FaultShare};
pub use server::{RunningSim, Sim};
pub use spec::{RoleFrame, SimError, SimSpec};

#[cfg(test)]
mod tests;
