//! Checks against real programs, processes, files and servers; what needs a network of its own makes one.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod bench;
mod namespace;
mod script;
mod servers;
mod tls;
mod watch;
