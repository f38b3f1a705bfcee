//! The engine: runs one stage.
