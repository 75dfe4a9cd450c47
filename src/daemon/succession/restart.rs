//! Whether SIGTERM means that another daemon follows: the signal itself does not say, the manager's job does.

use std::env;
use std::process::Stdio;
use std::time::Duration;

/// The name of this service, from its unit file. Without it a stop is a stop.
const UNIT: &str = "VRRPD_UNIT";

/// How long the manager may take to answer. A stop must not wait long for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether the service manager is about to start this service again once it has ended: it has a job that says
/// `restart`. Where there is no answer it is not.
pub(in crate::daemon) async fn is_restarting() -> bool {
    let Ok(unit) = env::var(UNIT) else { return false };
    let asked = tokio::process::Command::new("systemctl")
        .args(["list-jobs", "--plain", "--no-legend", "--no-pager", &unit])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(output)) => says_restart(&String::from_utf8_lossy(&output.stdout), &unit),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// Each line is a job: its number, the unit, what is to be done, and how far that is.
fn says_restart(jobs: &str, unit: &str) -> bool {
    jobs.lines().any(|job| {
        let mut words = job.split_ascii_whitespace().skip(1);
        words.next() == Some(unit) && words.next() == Some("restart")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_restart_of_this_service_is_one() {
        for (jobs, restart) in [
            ("1234 vrrpd.service restart running\n", true),
            ("7 a.service start running\n1234 vrrpd.service restart waiting\n", true),
            ("1234 vrrpd.service stop running\n", false),
            ("1234 other.service restart running\n", false),
            ("No jobs running.\n", false),
            ("", false),
        ] {
            assert_eq!(says_restart(jobs, "vrrpd.service"), restart, "{jobs}");
        }
    }
}
