//! What outlives the daemon: where it is kept, and how an earlier run's drains are taken up.

use super::clock;
use crate::config::{DEFAULT_PATH, DaemonSettings};
use crate::control::{SavedDrain, SavedDrains, WallClock};
use crate::engine::{Drain, Engine};
use crate::time::Timestamp;
use crate::vrrp::{Cause, Record, Subject};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tracing::info;

/// The directory for the state of the daemon that runs `config`. A second daemon on the same host, in another network
/// namespace say, has another configuration, and so a directory of its own inside the default one.
pub(super) fn directory(configured: &Path, config: &Path) -> PathBuf {
    if configured != DaemonSettings::default().state_directory || config == Path::new(DEFAULT_PATH) {
        return configured.to_owned();
    }
    let absolute = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let name = absolute.to_string_lossy().trim_matches('/').replace('/', "-");
    configured.join("of").join(name)
}

/// Takes up what was drained, and says so; what has run out meanwhile is left out.
pub(super) fn restore_drains(engine: &mut Engine, saved: SavedDrains) -> SavedDrains {
    let clock = WallClock { boottime: clock::now(), wall: clock::wall() };
    let drains: SavedDrains =
        saved.into_iter().filter(|(_, drain)| drain.until.is_none_or(|until| until > clock.wall)).collect();
    for (router, drain) in &drains {
        let SavedDrain { by, since, until } = drain;
        info!(router = router.as_str(), "{router}: is still drained, by {by}");
        let drain = Drain {
            by: by.as_str().into(),
            since: boottime(*since, &clock),
            until: until.map(|until| boottime(until, &clock)),
            handing_over: false,
        };
        engine.restore_drain(router.as_str().into(), drain);
    }
    drains
}

/// The moment of the monotonic clock; its origin for what was before that.
fn boottime(wall: SystemTime, clock: &WallClock) -> Timestamp {
    match wall.duration_since(clock.wall) {
        Ok(ahead) => clock.boottime + ahead,
        Err(behind) => {
            let since_origin = clock.boottime.since_origin().checked_sub(behind.duration());
            Timestamp::from_origin(since_origin.unwrap_or(Duration::ZERO))
        }
    }
}

/// Notes what a record says of drains; whether it says anything.
pub(super) fn note_drain(drains: &mut SavedDrains, record: &Record, clock: &WallClock) -> bool {
    let (Subject::Router { name, .. }, Cause::Drain { on, by, until }) = (&record.subject, &record.cause) else {
        return false;
    };
    if *on {
        let until = until.map(|until| clock.at(until));
        drains.insert(name.to_string(), SavedDrain { by: by.to_string(), since: clock.at(record.at), until });
    } else {
        drains.remove(&**name);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_has_a_state_of_its_own() {
        let default = DaemonSettings::default().state_directory;
        for (configured, config, expected) in [
            (&*default, "/etc/vrrpd/vrrpd.toml", "/var/lib/vrrpd"),
            (&*default, "/srv/ns-a/vrrpd.toml", "/var/lib/vrrpd/of/srv-ns-a-vrrpd.toml"),
            (Path::new("/tmp/state"), "/srv/ns-a/vrrpd.toml", "/tmp/state"),
        ] {
            assert_eq!(directory(configured, Path::new(config)), Path::new(expected));
        }
    }

    #[test]
    fn times_survive_a_reboot() {
        let second = Duration::from_secs;
        let clock = WallClock {
            boottime: Timestamp::from_origin(second(100)),
            wall: SystemTime::UNIX_EPOCH + second(1_000_000),
        };
        for (wall, expected) in [(1_000_050, 150), (999_990, 90), (999_000, 0)] {
            let at = boottime(SystemTime::UNIX_EPOCH + second(wall), &clock);
            assert_eq!(at, Timestamp::from_origin(second(expected)), "{wall}");
        }
    }
}
