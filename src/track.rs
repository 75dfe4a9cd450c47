//! What a host's fitness can depend on, as configured. The engine decides when a check runs and what its outcomes
//! mean; `checks/` runs it.

use crate::ids::InterfaceName;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A track attached to a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attachment {
    /// The track's name.
    pub track: Arc<str>,
    /// How it bears on the group.
    pub weight: Weight,
}

/// How a track bears on a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// A failure makes the group unfit; reversed: health does.
    Required {
        /// Health and failure change places.
        reverse: bool,
    },
    /// Added while failing where negative, while healthy where positive. -253 to 253.
    Adjust {
        /// What to add.
        by: i16,
        /// Health and failure change places.
        reverse: bool,
    },
}

impl Weight {
    /// Whether it makes a group unfit rather than moving its priority.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Required { .. })
    }
}

/// Something the host's fitness depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrackerSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What to look at.
    pub check: Check,
    /// From the start of one run to the start of the next. Checks that the kernel reports have none.
    pub interval: Duration,
    /// After which a run has failed.
    pub timeout: Duration,
    /// Successes in a row that bring it back, 1 or more.
    pub rise: u8,
    /// Failures in a row that turn it down, 1 or more.
    pub fall: u8,
    /// What it counts as before its first answer; `None`: it demotes nobody, and required it lets nobody become Master
    /// yet, for at most one fall period.
    pub assume: Option<bool>,
}

/// What a track looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Check {
    /// A program; exit status 0 is healthy.
    Script {
        /// Path and arguments, run without a shell.
        argv: Arc<[String]>,
        /// Who runs it.
        user: Arc<str>,
    },
    /// A GET request.
    Http(HttpCheck),
    /// A TCP connection, or a dialogue of one line each way.
    Tcp {
        /// Where to.
        address: SocketAddr,
        /// What to send after connecting.
        send: Option<Arc<str>>,
        /// What the answer must begin with.
        expect: Option<Arc<str>>,
    },
    /// An ICMP echo.
    Ping(IpAddr),
    /// An ARP request (IPv4) on an interface.
    Arp {
        /// Whose MAC to ask for.
        address: IpAddr,
        /// Where to ask.
        interface: InterfaceName,
    },
    /// Link state, from the kernel.
    Interface(InterfaceName),
    /// A running process by name, from the kernel.
    Process(Arc<str>),
    /// A running process by its pid file.
    Pidfile(PathBuf),
    /// An integer in a file, watched.
    File(PathBuf),
    /// A route in the main routing table, from the kernel: destination and prefix length.
    Route(IpAddr, u8),
}

impl Check {
    /// The name of the key in the configuration, which is also its kind in the status.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Script { .. } => "script",
            Self::Http(_) => "http",
            Self::Tcp { .. } => "tcp",
            Self::Ping(_) => "ping",
            Self::Arp { .. } => "arp",
            Self::Interface(_) => "interface",
            Self::Process(_) | Self::Pidfile(_) => "process",
            Self::File(_) => "file",
            Self::Route(..) => "route",
        }
    }

    /// Whether it runs at intervals; otherwise the kernel reports each change.
    #[must_use]
    pub const fn is_polled(&self) -> bool {
        matches!(self, Self::Script { .. } | Self::Http(_) | Self::Tcp { .. } | Self::Ping(_) | Self::Arp { .. })
    }
}

/// A GET request and what makes its answer healthy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCheck {
    /// The whole URL.
    pub url: Arc<str>,
    /// The status it must have; `None`: any from 200 to 399.
    pub status: Option<u16>,
    /// What the body must contain.
    pub body: Option<Arc<str>>,
    /// The Host header instead of the URL's.
    pub host: Option<Arc<str>>,
    /// Whether to take any certificate.
    pub insecure: bool,
}
