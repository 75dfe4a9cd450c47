//! `vrrpd`: a VRRP failover daemon.
pub mod checks;
pub mod engine;
pub mod hooks;
pub mod ids;
pub mod process;
pub mod time;
pub mod units;
pub mod vrrp;
pub mod wire;
