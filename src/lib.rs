//! `vrrpd`: a VRRP failover daemon.
pub mod cli;
pub mod config;
pub mod engine;
pub mod ids;
pub mod time;
pub mod track;
pub mod units;
pub mod vrrp;
pub mod wire;
