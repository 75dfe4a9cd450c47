//! Which programs are told what, as the configuration has it.

pub use crate::config::{Hook, HookPlan, HookSet};
