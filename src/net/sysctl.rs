//! The kernel's settings of single interfaces, in `/proc/sys/net`.

use crate::ids::InterfaceName;
use std::io;
use std::path::PathBuf;

/// One setting of one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sysctl<'a> {
    /// `ipv4` or `ipv6`.
    pub(super) tree: &'static str,
    /// The interface; `all` for what holds for every one.
    pub(super) interface: &'a str,
    /// The setting.
    pub(super) name: &'static str,
}

/// A setting that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot set {path}: {error}{}", help(.error))]
pub struct SysctlError {
    path: String,
    #[source]
    error: io::Error,
}

fn help(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EROFS) => "; the service's sandbox forbids it: its unit needs ReadWritePaths=/proc/sys/net",
        Some(libc::EACCES | libc::EPERM) => "; the daemon needs the capability CAP_NET_ADMIN",
        _ => "",
    }
}

impl<'a> Sysctl<'a> {
    pub(super) fn ipv4(interface: &'a InterfaceName, name: &'static str) -> Sysctl<'a> {
        Sysctl { tree: "ipv4", interface: interface.as_str(), name }
    }

    fn path(&self) -> PathBuf {
        let Self { tree, interface, name } = self;
        PathBuf::from(format!("/proc/sys/net/{tree}/conf/{interface}/{name}"))
    }

    /// Its value; `None` where this kernel or this interface has no such setting.
    pub(super) fn read(&self) -> Option<String> {
        std::fs::read_to_string(self.path()).ok().map(|text| text.trim().to_owned())
    }

    /// Sets it, unless it has that value already.
    pub(super) fn write(&self, value: &str) -> Result<(), SysctlError> {
        if self.read().as_deref() == Some(value) {
            return Ok(());
        }
        let path = self.path();
        std::fs::write(&path, value).map_err(|error| SysctlError { path: path.display().to_string(), error })
    }
}
