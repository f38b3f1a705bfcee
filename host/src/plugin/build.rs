//! Builds plugins from source.
