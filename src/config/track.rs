//! `[track.NAME]`: exactly one kind of check each, and how often.

use super::diagnostic::Diagnostics;
use super::hooks::not_zero;
use super::keys::TRACK;
use super::reader::{At, Fields, Route, Url, listed};
use super::script::{self, ScriptUse};
use super::source::Place;
use super::tree::Entry;
use super::value::spelled;
use crate::engine::{Check, HttpCheck, TrackerSpec};
use crate::ids::InterfaceName;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The kinds, each with the keys that belong to it alone.
const KINDS: [(&str, &[&str]); 9] = [
    ("script", &["user"]),
    ("http", &["status", "body", "host", "insecure"]),
    ("tcp", &["send", "expect"]),
    ("ping", &[]),
    ("arp", &["arp_interface"]),
    ("interface", &[]),
    ("process", &[]),
    ("file", &[]),
    ("route", &[]),
];

/// What only means something for a check that runs at intervals.
const POLLED_ONLY: [&str; 4] = ["interval", "timeout", "fall", "rise"];

/// A track as far as the file alone tells.
pub(super) struct TrackDraft {
    pub name: Arc<str>,
    pub place: Place,
    /// Its kind's key; `None` where there is not exactly one.
    pub kind: Option<&'static str>,
    /// `None` where something is wrong with it.
    pub spec: Option<TrackerSpec>,
    /// An `arp` track that asks on the interface of its first router.
    pub borrows_interface: bool,
    pub script: Option<ScriptUse>,
}

pub(super) fn read(entry: &Entry, script_user: &Arc<str>, report: &mut Diagnostics) -> TrackDraft {
    let name: Arc<str> = entry.key.as_str().into();
    let mut draft =
        TrackDraft { name, place: entry.key_place, kind: None, spec: None, borrows_interface: false, script: None };
    let Some(fields) = Fields::of(entry, &TRACK, report) else { return draft };
    draft.kind = kind(&fields, report);
    let Some(kind) = draft.kind else { return draft };
    foreign_keys(&fields, kind, report);
    let check = check(kind, &fields, script_user, &mut draft, report);
    let polled = check.as_ref().is_none_or(Check::is_polled);
    let timing = Timing::read(&fields, polled, report);
    draft.spec = check.map(|check| TrackerSpec {
        name: draft.name.clone(),
        check,
        interval: timing.interval,
        timeout: timing.timeout,
        rise: timing.rise,
        fall: timing.fall,
        assume: fields.choice("assume", &[("healthy", true), ("failed", false)], report).map(|at| at.value),
    });
    draft
}

fn kind(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<&'static str> {
    let present: Vec<&'static str> = KINDS.iter().map(|(kind, _)| *kind).filter(|kind| fields.has(kind)).collect();
    match present[..] {
        [kind] => Some(kind),
        [] => {
            let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
            report
                .missing(fields.place, "track needs a kind of check")
                .help(format!("add one of {}", listed(&kinds, "and")));
            None
        }
        [..] => {
            let places = present.iter().filter_map(|kind| fields.entry(kind)).map(|entry| entry.key_place);
            let place = places.max().unwrap_or(fields.place);
            report
                .error(
                    place,
                    format!("a track has exactly one kind of check, and this one has {}", listed(&present, "and")),
                )
                .help("make a track of its own of each, and use both");
            None
        }
    }
}

/// Reports the keys of another kind, which would be ignored.
fn foreign_keys(fields: &Fields<'_>, kind: &str, report: &mut Diagnostics) {
    for (other, keys) in KINDS.iter().filter(|(other, _)| *other != kind) {
        for entry in keys.iter().filter_map(|key| fields.entry(key)) {
            report
                .error(entry.key_place, format!("{} means nothing to {} {kind} track", entry.key, article(kind)))
                .help(format!("it belongs to {} {other} track: remove it", article(other)));
        }
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) || kind == "http" { "an" } else { "a" }
}

fn check(
    kind: &str,
    fields: &Fields<'_>,
    script_user: &Arc<str>,
    draft: &mut TrackDraft,
    report: &mut Diagnostics,
) -> Option<Check> {
    Some(match kind {
        "script" => {
            let user: Option<At<Arc<str>>> = fields.take("user", report);
            let script = script::take(fields, "script", user.as_ref(), report)?;
            let argv = script.argv.0.clone();
            draft.script = Some(script);
            Check::Script { argv, user: user.map_or_else(|| script_user.clone(), |user| user.value) }
        }
        "http" => Check::Http(http(fields, report)?),
        "tcp" => Check::Tcp {
            address: fields.take("tcp", report)?,
            send: fields.take("send", report),
            expect: fields.take("expect", report),
        },
        "ping" => Check::Ping(fields.take("ping", report)?),
        "arp" => {
            let interface: Option<InterfaceName> = fields.take("arp_interface", report);
            draft.borrows_interface = interface.is_none();
            let address: Ipv4Addr = fields.take("arp", report)?;
            // Until the routers are known; `borrows_interface` says that it stands for one of theirs.
            let interface = interface.or_else(|| InterfaceName::new("lo"))?;
            Check::Arp { address: IpAddr::V4(address), interface }
        }
        "interface" => Check::Interface(fields.take("interface", report)?),
        "process" => process(&fields.take::<At<String>>("process", report)?, report)?,
        "file" => Check::File(fields.take::<PathBuf>("file", report)?),
        "route" => {
            let Route(destination, prefix) = fields.take("route", report)?;
            Check::Route(destination, prefix)
        }
        _ => return None,
    })
}

fn http(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<HttpCheck> {
    let status = fields.number("status", 100..=599, report).map(|at| at.value);
    let body = fields.take("body", report);
    let host = fields.take("host", report);
    let insecure = fields.take("insecure", report).unwrap_or(false);
    let Url(url) = fields.take("http", report)?;
    Some(HttpCheck { url, status, body, host, insecure })
}

/// A name as the kernel keeps it, or a pid file.
fn process(at: &At<String>, report: &mut Diagnostics) -> Option<Check> {
    const COMM_MAX: usize = 15;
    if Path::new(&at.value).is_absolute() {
        return Some(Check::Pidfile(PathBuf::from(&at.value)));
    }
    if at.value.len() > COMM_MAX || at.value.contains('/') {
        report
            .error(
                at.place,
                format!("process must be a name of at most {COMM_MAX} octets, or the absolute path of a pid file"),
            )
            .help("write the name as it stands in /proc/PID/comm: the kernel keeps 15 octets of it");
        return None;
    }
    Some(Check::Process(at.value.as_str().into()))
}

/// How often a check runs and what changes its mind.
struct Timing {
    interval: Duration,
    timeout: Duration,
    rise: u8,
    fall: u8,
}

impl Timing {
    fn read(fields: &Fields<'_>, polled: bool, report: &mut Diagnostics) -> Self {
        if !polled {
            for entry in POLLED_ONLY.iter().filter_map(|key| fields.entry(key)) {
                report
                    .warning(entry.key_place, format!("{} has no effect here", entry.key))
                    .help("the kernel reports each change of this at once: remove it");
            }
        }
        let interval: Option<At<Duration>> = fields.take("interval", report);
        let timeout: Option<At<Duration>> = fields.take("timeout", report);
        let every = interval.as_ref().and_then(|at| at_least_10ms(at, report)).unwrap_or(Duration::from_secs(1));
        let limit = timeout.as_ref().and_then(|at| not_zero(at, "timeout", report)).unwrap_or(every);
        if let Some(at) = timeout.filter(|at| polled && at.value > every) {
            report
                .warning(at.place, format!("timeout is longer than the interval of {}", spelled(every)))
                .help("a run that hangs holds up the next ones: make the interval longer or the timeout shorter");
        }
        let count = |key, report: &mut Diagnostics| fields.number(key, 1..=255, report).map(|at| at.value);
        let (rise, fall) = (count("rise", report), count("fall", report));
        let once = if polled { 2 } else { 1 };
        Self {
            interval: every,
            timeout: limit,
            rise: rise.filter(|_| polled).unwrap_or(once),
            fall: fall.filter(|_| polled).unwrap_or(once),
        }
    }
}

fn at_least_10ms(at: &At<Duration>, report: &mut Diagnostics) -> Option<Duration> {
    if at.value < Duration::from_millis(10) {
        report
            .error(at.place, "interval must be at least 10ms")
            .help("a check costs something each time: \"1s\" is usual");
        return None;
    }
    Some(at.value)
}
