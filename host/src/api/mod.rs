//! The server dialects that are built in.
