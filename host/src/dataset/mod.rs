//! The sources of conversations that are built in.
