//! The command lines: what operators type, and what they read back.

pub mod ctl;

mod client;
mod table;
