//! `vrrp_instance`: one virtual router.

use super::addresses::Addresses;
use super::document::{Document, Table};
use super::globals::{Announcing, Globals};
use super::note::{Notes, Place};
use super::notify::Hooks;
use super::surroundings::Surroundings;
use super::track::{self, Attachment, Tracks};
use super::transport::Transport;
use super::tree::Statement;
use super::unmapped;
use super::value::Labels;
use crate::config::value::spelled;
use crate::ids::InterfaceName;
use crate::units::{Family, Version};
use std::time::Duration;

/// A virtual router, without what may turn out to be its group's.
#[derive(Debug)]
pub(super) struct Instance {
    /// What keepalived calls it.
    pub name: String,
    pub label: String,
    pub priority: u8,
    pub tracks: Vec<Attachment>,
    pub notify: Option<Table>,
    /// Its sync group has its priority and its tracks.
    pub in_group: bool,
    pub table: Table,
}

/// What the block says, as it is read.
#[derive(Debug)]
struct Draft {
    interface: Option<String>,
    vrid: Option<u8>,
    priority: Option<u8>,
    version: Option<u8>,
    interval: Option<(Duration, Place)>,
    wants_master: Option<Place>,
    nopreempt: Option<Place>,
    preempt_delay: Option<(Duration, Place)>,
    accept: Option<bool>,
    mac: Option<&'static str>,
    track_interface: bool,
    native_ipv6: bool,
    strict: bool,
    announcing: Announcing,
}

impl Instance {
    pub(super) fn read(
        block: &Statement,
        globals: &Globals,
        tracks: &mut Tracks,
        surroundings: &dyn Surroundings,
        others: &[Self],
        notes: &mut Notes,
    ) -> Option<Self> {
        let Some(name) = block.value() else {
            notes.broken(&block.place, "vrrp_instance has no name");
            return None;
        };
        let mut labels = Labels::default();
        for other in others {
            labels.give(&other.label);
        }
        let label = labels.give(name);
        let mark = notes.mark();
        if label != name {
            notes.changed(&block.place, format!("{name} is called {label} here"));
        }
        let mut draft = Draft::new(globals);
        let mut addresses = Addresses::default();
        let mut transport = Transport::new(globals.checksum_as_v2);
        let mut hooks = Hooks::new("virtual_router", &label);
        let mut attachments = Vec::new();
        let track_primary = !block.inner().iter().any(|statement| statement.keyword() == "dont_track_primary");
        let own = block.inner().iter().find(|statement| statement.keyword() == "interface").and_then(Statement::value);
        for statement in block.inner() {
            if let Some(more) = tracks.attach(statement, own.filter(|_| track_primary), notes) {
                add(&mut attachments, more, notes);
            } else if !(draft.take(statement, notes)
                || draft.announcing.take(statement, "", notes)
                || addresses.take(statement, notes)
                || transport.take(statement, notes)
                || hooks.take(statement, surroundings, notes))
            {
                unmapped::instance(statement, notes);
            }
        }
        let mut table = Table::new("virtual_router", &["virtual_router", &label]);
        let priority = draft.priority(notes);
        let complete = draft.write(priority, addresses, transport, &mut table, notes);
        if complete.is_none() {
            let message = format!("{name} is left out: it needs interface, virtual_router_id and virtual_ipaddress");
            notes.broken(&block.place, message);
            return None;
        }
        table.remark(&notes.claim(mark));
        let notify = hooks.finish(notes);
        Some(Self { name: name.to_owned(), label, priority, tracks: attachments, notify, in_group: false, table })
    }
}

/// Adds tracks to others, each once.
pub(super) fn add(attachments: &mut Vec<Attachment>, more: Vec<Attachment>, notes: &mut Notes) {
    for attachment in more {
        match attachments.iter().find(|other| other.label == attachment.label) {
            None => attachments.push(attachment),
            Some(first) if first.weight == attachment.weight => {}
            Some(_) => {
                let message = format!("{} is tracked with two weights: the first one counts", attachment.label);
                notes.broken(&attachment.place, message);
            }
        }
    }
}

pub(super) fn write(instances: Vec<Instance>, document: &mut Document) {
    for mut instance in instances {
        if !instance.in_group {
            instance.table.set("priority", instance.priority);
            if !instance.tracks.is_empty() {
                instance.table.set("track", track::item(&instance.tracks));
            }
        }
        document.push(instance.table);
        if let Some(notify) = instance.notify {
            document.push(notify);
        }
    }
}

impl Draft {
    fn new(globals: &Globals) -> Self {
        Self {
            interface: None,
            vrid: None,
            priority: None,
            version: Some(globals.version),
            interval: None,
            wants_master: None,
            nopreempt: None,
            preempt_delay: None,
            accept: None,
            mac: None,
            track_interface: true,
            native_ipv6: false,
            strict: globals.strict,
            announcing: globals.announcing,
        }
    }

    fn take(&mut self, statement: &Statement, notes: &mut Notes) -> bool {
        let place = &statement.place;
        match statement.keyword() {
            "interface" => match statement.value().filter(|name| InterfaceName::new(name).is_some()) {
                Some(name) => self.interface = Some(name.to_owned()),
                None => notes.broken(place, "interface takes the name of an interface"),
            },
            "virtual_router_id" => self.vrid = statement.number(&(1..=255), notes),
            "priority" => self.priority = statement.number(&(1..=255), notes),
            "version" => self.version = statement.number(&(2..=3), notes).or(self.version),
            "advert_int" => self.interval = statement.seconds(notes).map(|interval| (interval, place.clone())),
            "state" => {
                if statement.value() == Some("MASTER") {
                    self.wants_master = Some(place.clone());
                }
            }
            "nopreempt" => self.nopreempt = Some(place.clone()),
            "preempt_delay" => self.preempt_delay = statement.seconds(notes).map(|delay| (delay, place.clone())),
            "accept" => self.accept = Some(true),
            "no_accept" => self.accept = Some(false),
            "use_vmac" => {
                self.mac = Some("virtual");
                if statement.words.len() > 1 {
                    notes.unmapped(
                        place,
                        "use_vmac: the interface has a name of its own, and the MAC address is the RFC's",
                    );
                }
            }
            "dont_track_primary" => self.track_interface = false,
            "native_ipv6" => self.native_ipv6 = true,
            "strict_mode" => self.strict = statement.flag(),
            _ => return false,
        }
        true
    }

    /// `state` also decides the priority of an instance that has none.
    fn priority(&self, notes: &mut Notes) -> u8 {
        match (self.priority, &self.wants_master) {
            (Some(priority), None) => priority,
            (Some(priority), Some(place)) => {
                if priority != 255 {
                    notes.changed(place, "state MASTER is left out: the election decides from the start");
                }
                priority
            }
            (None, Some(place)) => {
                notes.changed(place, "without priority, state MASTER means 255 to keepalived, the owner of the addresses: say what is meant");
                255
            }
            (None, None) => 100,
        }
    }

    /// Sets the keys; `None` where something is missing that a router cannot do without.
    fn write(
        self,
        priority: u8,
        addresses: Addresses,
        transport: Transport,
        table: &mut Table,
        notes: &mut Notes,
    ) -> Option<()> {
        let (interface, vrid) = (self.interface.as_ref()?, self.vrid?);
        table.set("interface", interface.as_str());
        table.set("virtual_router_id", vrid);
        let family = if self.native_ipv6 { Family::Ipv6 } else { addresses.family()? };
        let version = if family == Family::Ipv4 && self.version == Some(2) { Version::V2 } else { Version::V3 };
        table.set("version", if version == Version::V2 { 2_u8 } else { 3 });
        addresses.write(interface, vrid, table, notes)?;
        self.write_interval(version, table, notes);
        self.write_preempt(priority, table, notes);
        self.write_mac_and_accept(priority, table);
        if !self.track_interface {
            table.set("track_interface", false);
        }
        self.announcing.write(table);
        transport.write(family, version, self.strict, table, notes);
        Some(())
    }

    /// Rounded as keepalived rounds it.
    fn write_interval(&self, version: Version, table: &mut Table, notes: &mut Notes) {
        let Some((wanted, place)) = &self.interval else { return };
        let (step, longest) = match version {
            Version::V2 => (Duration::from_secs(1), Duration::from_secs(255)),
            Version::V3 => (Duration::from_millis(10), Duration::from_millis(40_950)),
        };
        let steps = (wanted.as_nanos() + step.as_nanos() / 2) / step.as_nanos();
        let interval = u32::try_from(steps).map_or(longest, |steps| step.saturating_mul(steps)).clamp(step, longest);
        if interval != *wanted {
            notes.changed(place, format!("advert_int becomes {}, as it does in keepalived", spelled(interval)));
        }
        table.set("advert_interval", spelled(interval));
    }

    fn write_preempt(&self, priority: u8, table: &mut Table, notes: &mut Notes) {
        let why_not = match &self.wants_master {
            _ if priority == 255 => Some("an owner of the addresses always preempts"),
            Some(_) => {
                Some("keepalived ignores it with state MASTER, so it is left out: write preempt = false if it is meant")
            }
            None => None,
        };
        match (&self.nopreempt, why_not) {
            (Some(place), Some(why)) => notes.changed(place, format!("nopreempt: {why}")),
            (Some(_), None) => table.set("preempt", false),
            (None, _) => {}
        }
        let Some((delay, place)) = self.preempt_delay.as_ref().filter(|(delay, _)| !delay.is_zero()) else { return };
        let why_not = if self.nopreempt.is_some() && why_not.is_none() {
            "nopreempt leaves nothing to delay"
        } else if self.wants_master.is_some() {
            "keepalived ignores it with state MASTER, so it is left out: write preempt_delay if it is meant"
        } else if self.strict {
            "keepalived ignores it in strict mode, so it is left out"
        } else {
            return table.set("preempt_delay", spelled(*delay));
        };
        notes.changed(place, format!("preempt_delay: {why_not}"));
    }

    fn write_mac_and_accept(&self, priority: u8, table: &mut Table) {
        if let Some(mac) = self.mac {
            table.set("mac", mac);
        }
        // The owner answers in any case (RFC 9568, 6.1).
        let accept = self.accept.unwrap_or(!self.strict) || priority == 255;
        if !accept {
            table.set("accept", false);
        }
    }
}

impl Announcing {
    /// keepalived announces in two bursts, at once and after a delay; here the same time is covered evenly.
    fn write(self, table: &mut Table) {
        let bursts = self.delay.unwrap_or(Duration::from_secs(5));
        if self.repeat.is_some() || self.delay.is_some() {
            let repeat = u8::try_from(self.repeat.unwrap_or(5).max(1)).unwrap_or(u8::MAX);
            let repeat = if repeat == 1 && !bursts.is_zero() { 2 } else { repeat };
            table.set("garp_repeat", repeat);
            if repeat > 1 && !bursts.is_zero() {
                let millis = bursts.as_millis() / u128::from(repeat - 1);
                let apart = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX).max(1));
                table.set("garp_interval", spelled(apart));
            }
        }
        match self.refresh {
            Some(refresh) if refresh.is_zero() => table.set("garp_refresh", "0s"),
            Some(refresh) => table.set("garp_refresh", spelled(refresh.max(Duration::from_secs(1)))),
            None => {}
        }
    }
}
