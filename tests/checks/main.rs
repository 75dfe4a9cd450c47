//! Checks against real programs and real servers on loopback.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod bench;
mod script;
