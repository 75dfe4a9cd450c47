//! What goes wrong, what is done about it, and what it may cost.

use std::time::Duration;

use crate::client::PATIENCE;
use crate::deployment::Deployment;

/// Three advertisement intervals and the skew time of priority 99: how long a Backup waits for a Master that fell silent.
const SILENCE: Duration = Duration::from_millis(3613);
/// How long it waits for a Master that has resigned: the skew time.
const SKEW: Duration = Duration::from_millis(613);
const ADVERT: Duration = Duration::from_secs(1);

/// One way to go wrong, always on Master01, host 1.
pub(crate) struct Failure {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// Makes it happen.
    pub(crate) inflict: fn(&mut Deployment),
    /// Makes it good again.
    pub(crate) repair: fn(&mut Deployment),
    /// Within which time Slaver01 has the address; `None` if Master01 is to keep it.
    pub(crate) handover: Option<Duration>,
    /// For how long the client may be without an answer; `None` where it lasts as long as the failure and no address helps.
    pub(crate) outage: Option<Duration>,
    /// For how long nobody may answer for the address.
    pub(crate) nobody: Duration,
    /// For how long two may.
    pub(crate) two: Duration,
}

/// A check that fails: each of its `fall` runs one interval apart, the last one's timeout, and the resignation.
const fn found_by(interval_ms: u64, fall: u64, timeout_ms: u64) -> Duration {
    Duration::from_millis(interval_ms * fall + timeout_ms).saturating_add(SKEW)
}

/// The six kinds, some of them in two forms.
pub(crate) fn all() -> Vec<Failure> {
    vec![
        Failure {
            name: "a host dies",
            inflict: |deployment| deployment.kill(1),
            repair: |deployment| deployment.boot(1),
            handover: Some(SILENCE),
            outage: Some(SILENCE.saturating_add(PATIENCE)),
            nobody: SILENCE,
            two: ADVERT,
        },
        Failure {
            name: "the network fails",
            inflict: |deployment| deployment.lab.isolate(deployment.lab.host(1)),
            repair: |deployment| deployment.lab.rejoin(deployment.lab.host(1)),
            handover: Some(SILENCE),
            outage: Some(SILENCE.saturating_add(PATIENCE)),
            nobody: SILENCE,
            two: ADVERT,
        },
        // nginx asks the other gateway when one fails: what the client loses is a request that is under way when the address moves,
        // and it waits for that as long as it waits for any.
        Failure {
            name: "the application hangs",
            inflict: |deployment| deployment.set_failure(1, Some("hang")),
            repair: |deployment| deployment.set_failure(1, None),
            handover: Some(found_by(2000, 2, 1000)),
            ..RETRIED
        },
        Failure {
            name: "the application answers 500",
            inflict: |deployment| deployment.set_failure(1, Some("500")),
            repair: |deployment| deployment.set_failure(1, None),
            handover: Some(found_by(2000, 2, 1000)),
            ..RETRIED
        },
        Failure {
            name: "the database refuses",
            inflict: |deployment| deployment.block(1, "oifname \"lo\" tcp dport 3306 reject with tcp reset"),
            repair: |deployment| deployment.unblock(1),
            handover: Some(found_by(2000, 2, 1000)),
            ..RETRIED
        },
        Failure {
            name: "Redis does not answer",
            inflict: |deployment| deployment.block(1, "oifname \"lo\" tcp dport 6379 drop"),
            repair: |deployment| deployment.unblock(1),
            handover: Some(found_by(1000, 2, 500)),
            ..RETRIED
        },
        Failure {
            name: "the cloud refuses one host",
            inflict: |deployment| {
                let cloud = deployment.cloud_address();
                deployment.block(1, &format!("ip daddr {cloud} tcp dport 80 reject with tcp reset"));
            },
            repair: |deployment| deployment.unblock(1),
            handover: Some(found_by(5000, 3, 2000)),
            ..RETRIED
        },
        Failure {
            name: "the cloud is gone for all",
            inflict: Deployment::stop_cloud,
            repair: Deployment::start_cloud,
            handover: None,
            outage: None,
            ..RETRIED
        },
    ]
}

const RETRIED: Failure = Failure {
    name: "",
    inflict: |_| (),
    repair: |_| (),
    handover: None,
    outage: Some(PATIENCE),
    nobody: Duration::ZERO,
    two: ADVERT,
};
