//! The simulator's scenarios, its random runs, and the laws of reloading.

mod lab;
mod noise;
mod random;
mod reload;
mod scenarios;
