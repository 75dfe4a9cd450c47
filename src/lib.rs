//! `vrrpd`: a VRRP failover daemon.
pub mod cli;
pub mod control;
pub mod config;
pub mod engine;
pub mod ids;
pub mod net;
pub mod time;
pub mod track;
pub mod units;
pub mod vrrp;
pub mod wire;
