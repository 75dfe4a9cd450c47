//! A program that the operator wrote: exit status 0 is healthy.

use super::Finding;
use crate::process::{self, Program};
use std::sync::Arc;

/// Runs it once. Dropping the future kills it and all that it started.
pub(super) async fn check(track: &str, argv: &Arc<[String]>, user: &Arc<str>) -> Finding {
    let environment = vec![("VRRPD_TRACK", track.to_owned())];
    let program = Program { argv: argv.clone(), user: user.clone(), environment, input: None };
    match process::run(&program).await {
        Ok(finished) if finished.success() => Ok(finished.to_string()),
        Ok(finished) => Err(finished.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
