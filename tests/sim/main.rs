//! The simulator's scenarios, its random runs, and the laws of reloading.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod counters;
mod lab;
mod noise;
mod random;
mod reload;
#[path = "../common/router.rs"]
mod router;
mod scenarios;
mod tracks;
