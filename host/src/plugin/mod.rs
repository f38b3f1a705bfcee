//! WASM components as datasets and APIs.
