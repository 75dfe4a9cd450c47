//! A configuration against the host it is for. What `--portable` leaves out is here, all of it.
//!
//! A program that the daemon runs must not be replaceable by anybody but its owner and root: neither the file nor any
//! directory on the way to it may be writable by others. A sticky directory is as good as one that is not writable,
//! since nobody can rename in it what belongs to somebody else.

use super::diagnostic::Diagnostics;
use super::host::{Context, FileFacts, Host, UserFacts};
use super::reader::{At, nearest};
use super::resolve::Drafts;
use super::router::RouterDraft;
use super::script::ScriptUse;
use crate::units::{Family, VirtualAddress};
use crate::vrrp::MacMode;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ROOT: u32 = 0;
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_OTHERS: u32 = 0o002;
const STICKY: u32 = 0o1000;

pub(super) fn run(drafts: &Drafts, context: &Context<'_>, report: &mut Diagnostics) {
    let Some(host) = context.host() else { return };
    for script in drafts.scripts() {
        let user = script.user.as_ref().map_or(&drafts.daemon.settings.script_user, |user| &user.value);
        check_script(script, user, context, host, report);
    }
    let named = drafts.scripts().filter_map(|script| script.user.as_ref());
    let users: BTreeMap<_, _> = named.chain(&drafts.daemon.script_user).map(|at| (at.place, &at.value)).collect();
    for (place, user) in users.into_iter().filter(|(_, user)| host.user(user).is_none()) {
        report
            .error(place, format!("there is no user {user} on this host"))
            .help(format!("create it, for instance with: useradd --system {user}"));
    }
    if let Some(group) = drafts.daemon.control_group.as_ref().filter(|at| !host.has_group(&at.value)) {
        report
            .warning(group.place, format!("there is no group {} on this host", group.value))
            .help("only root can use vrrpctl then");
    }
    let interfaces = host.interfaces();
    for router in &drafts.routers {
        check_interface(router, &interfaces, report);
    }
}

fn check_script(script: &ScriptUse, user: &Arc<str>, context: &Context<'_>, host: &dyn Host, report: &mut Diagnostics) {
    let Some(program) = script.argv.0.first().map(PathBuf::from) else { return };
    let shown = program.display();
    let found = host.canonical(&program).and_then(|real| Ok((host.file(&real)?, real)));
    let (facts, real) = match found {
        Ok(found) => found,
        Err(error) if context.excuses(&error) => {
            report
                .warning(script.place, format!("{shown} is hidden from you, so it was not checked"))
                .help("run this as root to check it too");
            return;
        }
        Err(error) => {
            report
                .error(script.place, format!("{shown}: {error}"))
                .help("the program has to be there when the daemon starts");
            return;
        }
    };
    if !facts.is_file {
        report.error(script.place, format!("{shown} is not a program")).help("write the path of a file");
        return;
    }
    if let Some(user_facts) = host.user(user)
        && !may_execute(facts, &user_facts)
    {
        report
            .error(script.place, format!("{shown} is not executable for user {user} (mode {:04o})", facts.mode))
            .help(format!("run: chmod 0755 {shown}"));
    }
    if let Some((culprit, why)) = insecure(&program, &real, facts, host) {
        let culprit = culprit.display();
        report.error(script.place, format!("{shown} is insecure: {culprit} is {why}")).help(format!(
            "whoever can replace it decides what the daemon runs: chmod go-w {culprit}, chown root {culprit}"
        ));
    }
    if facts.uid != ROOT && host.user(user).is_some_and(|user| user.uid == ROOT) {
        report
            .warning(script.place, format!("{shown} is run by root but belongs to user number {}", facts.uid))
            .help(format!("its owner can become root through it: chown root {shown}"));
    }
}

fn may_execute(file: FileFacts, user: &UserFacts) -> bool {
    let bits = if user.uid == ROOT {
        0o111
    } else if user.uid == file.uid {
        0o100
    } else if user.gids.contains(&file.gid) {
        0o010
    } else {
        0o001
    };
    file.mode & bits != 0
}

/// The first thing on the way to a program that somebody else could write to, and how.
fn insecure(program: &Path, real: &Path, file: FileFacts, host: &dyn Host) -> Option<(PathBuf, &'static str)> {
    if let Some(why) = writable(file) {
        return Some((real.to_owned(), why));
    }
    let directories: BTreeSet<&Path> = program.ancestors().skip(1).chain(real.ancestors().skip(1)).collect();
    directories.into_iter().find_map(|directory| {
        let facts = host.file(directory).ok()?;
        let trusted = facts.uid == ROOT || facts.uid == file.uid;
        let why = if trusted { writable(facts)? } else { "owned by another user than the program" };
        Some((directory.to_owned(), why))
    })
}

fn writable(facts: FileFacts) -> Option<&'static str> {
    if facts.is_directory && facts.mode & STICKY != 0 {
        None
    } else if facts.mode & WRITABLE_BY_OTHERS != 0 {
        Some("writable by everybody")
    } else if facts.mode & WRITABLE_BY_GROUP != 0 && facts.gid != ROOT {
        Some("writable by its group")
    } else {
        None
    }
}

fn check_interface(router: &RouterDraft, interfaces: &BTreeMap<String, Vec<VirtualAddress>>, report: &mut Diagnostics) {
    let Some(At { value: name, place }) = &router.interface else { return };
    let Some(own) = interfaces.get(name.as_str()) else {
        let near = nearest(name.as_str(), interfaces.keys().map(String::as_str));
        let help = near.map_or_else(
            || "the router is in FAULT until it appears".to_owned(),
            |near| format!("did you mean {near}? The router is in FAULT until {name} appears"),
        );
        report.warning(*place, format!("there is no interface {name} on this host")).help(help);
        return;
    };
    for address in router.addresses.iter().filter(|address| outside(address.value.ip, own)) {
        report
            .warning(address.place, format!("{} is outside every subnet of {name}", address.value.ip))
            .help("hosts on that network cannot reach it unless they have a route to it");
    }
    if speaks_with_virtual_mac(router) && router.candidacy.priority().is_owner() {
        for address in router.addresses.iter().filter(|address| own.iter().any(|own| own.ip == address.value.ip)) {
            report
                .warning(address.place, format!("{} is on {name} itself, whose own MAC address answers for it too", address.value.ip))
                .help("take it off the interface: with mac = \"virtual\" vrrpd puts it on the macvlan, an owner's at once");
        }
    }
}

fn speaks_with_virtual_mac(router: &RouterDraft) -> bool {
    router.spec.as_ref().is_some_and(|spec| spec.mac == MacMode::Virtual)
}

/// Whether an interface has addresses of the family, and none of them in a subnet with this one.
fn outside(ip: IpAddr, own: &[VirtualAddress]) -> bool {
    let mut kin = own.iter().filter(|own| Family::of(own.ip) == Family::of(ip)).peekable();
    kin.peek().is_some() && !kin.any(|own| in_subnet(ip, *own))
}

fn in_subnet(ip: IpAddr, subnet: VirtualAddress) -> bool {
    let shift = |bits: u8| u32::from(bits.saturating_sub(subnet.prefix));
    match (ip, subnet.ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0,
        _ => false,
    }
}
