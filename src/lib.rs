//! `vrrpd`: a VRRP failover daemon.

pub mod checks;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod hooks;
pub mod ids;
pub mod net;
pub mod process;
pub mod sim;
pub mod time;
pub mod track;
pub mod units;
pub mod vrrp;
pub mod wire;
