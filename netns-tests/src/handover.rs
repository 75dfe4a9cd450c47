//! How long a Master that a failing script demotes takes to hand over.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Daemon, Duo, Event, Implementation, Must, PairConfig, RouterConfig, ScriptConfig, Stamp};

const PATIENCE: Duration = Duration::from_secs(15);

/// Two hosts with priorities 100 and 99; the first one's script lowers it by 20 when told to.
pub struct Handover {
    duo: Duo,
    healthy: PathBuf,
    failures: PathBuf,
    router: RouterConfig,
    _daemons: [Daemon; 2],
}

impl Handover {
    /// Starts the pair and waits until host 1 is Master.
    #[must_use]
    pub fn open(implementation: Implementation, interval: Duration) -> Self {
        let duo = Duo::default();
        let host = duo.lab.host(1);
        let (healthy, failures) = (host.write("healthy", ""), host.write("failures", ""));
        let path = host.write_script(
            "check",
            &format!("test -e {} && exit 0; date +%s.%N >> {}; exit 1", healthy.display(), failures.display()),
        );
        // keepalived knows whole seconds only.
        let every = if implementation == Implementation::Keepalived { Duration::from_secs(1) } else { interval };
        let router =
            RouterConfig { interval, track: vec![("service".to_owned(), Some(-20))], ..RouterConfig::web(100) };
        let first = PairConfig {
            routers: vec![router.clone()],
            scripts: vec![ScriptConfig { name: "service".to_owned(), path, interval: every, fall: 1, rise: 1 }],
        };
        let second = RouterConfig { interval, ..RouterConfig::web(99) }.into();
        let daemons = duo.start(implementation, &first, &second);
        Self { healthy, failures, router, _daemons: daemons, duo }
    }

    /// The least that the protocol asks for: the skew time of the host that takes over.
    #[must_use]
    pub fn theory(&self) -> Duration {
        crate::skew_time(self.router.version, 99, self.router.interval)
    }

    /// Lets the script fail once: the milliseconds from its failing exit to the first gratuitous ARP of the other host.
    #[track_caller]
    pub fn measure(&self) -> f64 {
        self.duo.wait_until_master(1, &self.router);
        fs::write(&self.failures, "").must(self.failures.display());
        let start = Stamp::now();
        fs::remove_file(&self.healthy).must(self.healthy.display());
        let is_garp = |event: &Event| {
            event.source_mac == [2, 0, 0, 0, 0, 2] && event.announced() == Some(self.router.addresses[0])
        };
        let heard = self.duo.capture.wait_for("a gratuitous ARP of host 2", start, PATIENCE, is_garp).at;
        let failures = fs::read_to_string(&self.failures).must(self.failures.display());
        let exit: Stamp = failures
            .lines()
            .next()
            .ok_or("the script has not failed")
            .and_then(|line| line.parse().map_err(|_| "the script writes the time"))
            .must("reading when the script failed");
        fs::write(&self.healthy, "").must(self.healthy.display());
        heard.millis_after(exit)
    }
}
