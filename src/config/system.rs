//! This host, asked through the C library.

use super::host::{FileFacts, Host, UserFacts};
use crate::units::VirtualAddress;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::unistd::{Group, User, getgrouplist};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The host that the process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemHost;

impl Host for SystemHost {
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn file(&self, path: &Path) -> io::Result<FileFacts> {
        let found = std::fs::metadata(path)?;
        Ok(FileFacts {
            is_directory: found.is_dir(),
            is_file: found.is_file(),
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn user(&self, name: &str) -> Option<UserFacts> {
        let user = User::from_name(name).ok().flatten()?;
        let groups = CString::new(name).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
        let gids = groups.map_or_else(|| vec![user.gid.as_raw()], |all| all.iter().map(|gid| gid.as_raw()).collect());
        Some(UserFacts { uid: user.uid.as_raw(), gids })
    }

    fn has_group(&self, name: &str) -> bool {
        matches!(Group::from_name(name), Ok(Some(_)))
    }

    fn interfaces(&self) -> BTreeMap<String, Vec<VirtualAddress>> {
        let mut found: BTreeMap<String, Vec<VirtualAddress>> = BTreeMap::new();
        // Each interface comes at least once, with its link-layer address.
        for entry in getifaddrs().into_iter().flatten() {
            let addresses = found.entry(entry.interface_name.clone()).or_default();
            addresses.extend(address(&entry));
        }
        found
    }
}

fn address(entry: &InterfaceAddress) -> Option<VirtualAddress> {
    let storage = entry.address.as_ref()?;
    let mask = entry.netmask.as_ref()?;
    if let (Some(v4), Some(mask)) = (storage.as_sockaddr_in(), mask.as_sockaddr_in()) {
        let prefix = u8::try_from(mask.ip().to_bits().leading_ones()).ok()?;
        return Some(VirtualAddress { ip: IpAddr::V4(v4.ip()), prefix });
    }
    let (v6, mask) = (storage.as_sockaddr_in6()?, mask.as_sockaddr_in6()?);
    let prefix = u8::try_from(mask.ip().to_bits().leading_ones()).ok()?;
    Some(VirtualAddress { ip: IpAddr::V6(v6.ip()), prefix })
}
