//! Records → the figures of a stage.
