//! What can happen to a host, and how it is made good again.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::draw::Draw;
use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of the daemon; its guardian lives.
    Kill,
    /// `kill -9` of the daemon and its guardian.
    Crash,
    /// `kill -9` of the guardian.
    KillGuardian,
    /// SIGSTOP of the daemon, which its guardian then ends.
    Hang,
    /// SIGSTOP of the daemon and its guardian.
    Freeze,
    /// An orderly stop.
    Stop,
    /// The cable is pulled.
    Cut,
    /// The interface is set down.
    SetDown,
    /// The interface is deleted, and made anew.
    Delete,
    /// Somebody removes the address.
    Remove,
    /// A reload that changes nothing.
    Reload,
    /// A drain, and its end.
    Drain,
    /// `vrrpctl upgrade`.
    Upgrade,
    /// It does not hear the other host.
    Deaf,
    /// Its port forwards nothing in either direction.
    Isolate,
    /// Malformed adverts from a third host.
    Junk,
}

const ALL: [Fault; 16] = [
    Fault::Kill,
    Fault::Crash,
    Fault::KillGuardian,
    Fault::Hang,
    Fault::Freeze,
    Fault::Stop,
    Fault::Cut,
    Fault::SetDown,
    Fault::Delete,
    Fault::Remove,
    Fault::Reload,
    Fault::Drain,
    Fault::Upgrade,
    Fault::Deaf,
    Fault::Isolate,
    Fault::Junk,
];

impl Fault {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        draw.one_of(&ALL)
    }

    /// Whether the two hosts cannot hear each other while it lasts, or nobody is there to take an address away.
    pub(crate) fn deafens(self) -> bool {
        matches!(self, Self::Crash | Self::Freeze | Self::Deaf | Self::Isolate)
    }

    /// By when, after the repair, the preferred host is the only Master: the down interval is 304 ms, and a process starts
    /// within some 100 ms; the rest is for a busy machine.
    pub(crate) fn bound(self) -> Duration {
        Duration::from_millis(match self {
            Self::Kill | Self::Crash | Self::Hang | Self::Freeze | Self::Stop | Self::Delete => 3_000,
            Self::Cut | Self::SetDown | Self::Drain | Self::Upgrade => 2_000,
            _ => 1_000,
        })
    }

    pub(crate) fn inject(self, world: &mut World, host: usize) {
        match self {
            Self::Kill => world.signal(host, Signal::SIGKILL),
            Self::Hang => world.signal(host, Signal::SIGSTOP),
            Self::Crash => world.crash(host),
            Self::KillGuardian => world.kill_guardian(host),
            Self::Freeze => world.daemon(host).freeze(),
            Self::Stop => world.signal(host, Signal::SIGTERM),
            Self::Cut => world.duo.lab.cut(world.duo.lab.host(host)),
            Self::SetDown => world.duo.lab.host(host).set_link(false),
            Self::Delete => world.duo.lab.remove_interface(world.duo.lab.host(host)),
            Self::Remove => world.remove_address(host),
            Self::Reload => world.signal(host, Signal::SIGHUP),
            Self::Drain => world.vrrpctl(host, &["drain"]),
            Self::Upgrade => world.vrrpctl(host, &["upgrade"]),
            Self::Deaf => world.deafen(host),
            Self::Isolate => world.duo.lab.isolate(world.duo.lab.host(host)),
            Self::Junk => world.flood(),
        }
    }

    pub(crate) fn repair(self, world: &mut World, host: usize) {
        match self {
            Self::Kill | Self::Crash | Self::Hang | Self::Stop => world.replace(host),
            // The guardian may have woken first, and ended the daemon.
            Self::Freeze => world.thaw(host),
            Self::Cut => world.duo.lab.mend(world.duo.lab.host(host)),
            Self::SetDown => world.duo.lab.host(host).set_link(true),
            Self::Delete => world.duo.lab.add_interface(world.duo.lab.host(host)),
            Self::Drain => world.vrrpctl(host, &["undrain"]),
            Self::Deaf => world.undeafen(host),
            Self::Isolate => world.duo.lab.rejoin(world.duo.lab.host(host)),
            Self::Junk => world.end_flood(),
            Self::KillGuardian | Self::Remove | Self::Reload | Self::Upgrade => {}
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "daemon killed",
            Self::Crash => "daemon and guardian killed",
            Self::KillGuardian => "guardian killed",
            Self::Hang => "daemon hangs",
            Self::Freeze => "daemon and guardian hang",
            Self::Stop => "daemon stopped",
            Self::Cut => "cable pulled",
            Self::SetDown => "interface down",
            Self::Delete => "interface deleted",
            Self::Remove => "address removed",
            Self::Reload => "reload",
            Self::Drain => "drained",
            Self::Upgrade => "upgrade",
            Self::Deaf => "hears nothing",
            Self::Isolate => "isolated",
            Self::Junk => "junk from a third host",
        })
    }
}
