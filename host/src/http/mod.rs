//! The HTTP transport: the only code that stamps times on the wire.

mod client;
mod failure;
mod stamped;

pub use client::{HttpSpec, HttpTransport, TransportError};
