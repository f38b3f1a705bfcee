//! new projects
