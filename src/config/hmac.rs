//! `authentication = { type = "hmac", ... }`: keepalived's trailer for VRRPv3 between unicast peers.

use super::auth::SecretSource;
use super::diagnostic::Diagnostics;
use super::host::{Context, Reported};
use super::keys::HMAC_KEY;
use super::reader::{At, Field, Fields, Read};
use super::source::Place;
use super::tree::Node;
use crate::units::Interval;
use crate::vrrp::{HmacAuth, HmacKey, HmacMode, Secret};
use std::ops::RangeInclusive;
use std::time::Duration;

const MODES: [(&str, HmacMode); 3] =
    [("receive-only", HmacMode::ReceiveOnly), ("permissive", HmacMode::Permissive), ("enforce", HmacMode::Enforce)];

/// Octets of a key.
const KEY: RangeInclusive<usize> = 32..=64;

/// What a key begins with that is written as hexadecimal digits.
const HEX: &[u8] = b"hex:";

/// What was written.
pub(super) struct HmacDraft {
    key_id: At<u8>,
    keys: Vec<KeyDraft>,
    mode: HmacMode,
    window: Option<Duration>,
}

struct KeyDraft {
    id: At<u8>,
    secret: SecretSource,
}

impl Read for KeyDraft {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let fields = Fields::of_item(node, field, &HMAC_KEY, report)?;
        let id = fields.present("id", report).then(|| fields.number("id", 0..=255, report)).flatten();
        let secret = SecretSource::read(&fields, report);
        Some(Self { id: id?, secret: secret? })
    }
}

pub(super) fn read(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<HmacDraft> {
    let mode = fields.choice("mode", &MODES, report).map_or_else(HmacMode::default, |at| at.value);
    let window = window(fields, report);
    let key_id: Option<At<u8>> =
        fields.present("key_id", report).then(|| fields.number("key_id", 0..=255, report)).flatten();
    let Some(listed) = fields.entry("keys") else {
        let secret = SecretSource::read(fields, report);
        let (key_id, secret) = (key_id?, secret?);
        return Some(HmacDraft { keys: vec![KeyDraft { id: key_id.clone(), secret }], key_id, mode, window });
    };
    for entry in ["secret", "secret_file"].into_iter().filter_map(|key| fields.entry(key)) {
        report
            .error(entry.key_place, format!("authentication has both keys and {}", entry.key))
            .help("put the secret into the list, with its id");
    }
    let keys: Vec<KeyDraft> = fields.take("keys", report)?;
    check_ids(&keys, key_id.as_ref(), listed.key_place, report);
    Some(HmacDraft { key_id: key_id?, keys, mode, window })
}

fn check_ids(keys: &[KeyDraft], key_id: Option<&At<u8>>, place: Place, report: &mut Diagnostics) {
    for (position, key) in keys.iter().enumerate() {
        if let Some(first) = keys.iter().take(position).find(|first| first.id.value == key.id.value) {
            report
                .error(key.id.place, format!("key {} is listed twice", key.id.value))
                .note(first.id.place, "it is first listed here")
                .help("give each key a number of its own");
        }
    }
    if let Some(at) = key_id.filter(|at| !keys.iter().any(|key| key.id.value == at.value)) {
        report
            .error(at.place, format!("key {} is not among the keys", at.value))
            .note(place, "they are listed here")
            .help("key_id names the key to sign with: add it to the list, or name one that is there");
    }
}

fn window(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<Duration> {
    let At { value, place } = fields.take::<At<Duration>>("window", report)?;
    if value.subsec_nanos() != 0 || !(1..=300).contains(&value.as_secs()) {
        report
            .error(place, "window must be 1s to 300s in whole seconds")
            .help("it is how far the clocks of the hosts may be apart; the default is three intervals and at least 5s");
    }
    Some(value)
}

/// As keepalived has it: three intervals and at least five seconds.
fn default_window(interval: Interval) -> Duration {
    let three = interval.duration() * 3;
    let whole = three.as_secs() + u64::from(three.subsec_nanos() != 0);
    Duration::from_secs(whole.max(5))
}

impl HmacDraft {
    /// The authentication with its secrets; one that is not to be read leaves zeros, which only a summary sees.
    pub(super) fn resolve(
        &self,
        interval: Interval,
        context: &Context<'_>,
        report: &mut Diagnostics,
    ) -> Option<HmacAuth> {
        let keys: Vec<Option<HmacKey>> = self.keys.iter().map(|key| key.resolve(context, report)).collect();
        let keys: Option<Vec<HmacKey>> = keys.into_iter().collect();
        Some(HmacAuth {
            keys: keys?.into(),
            key_id: self.key_id.value,
            mode: self.mode,
            window: self.window.unwrap_or_else(|| default_window(interval)),
        })
    }
}

impl KeyDraft {
    fn resolve(&self, context: &Context<'_>, report: &mut Diagnostics) -> Option<HmacKey> {
        let secret = match self.secret.octets(context, report) {
            Ok(Some(written)) => key(&written, self.secret.place(), report)?,
            Ok(None) => vec![0; *KEY.start()],
            Err(Reported) => return None,
        };
        Some(HmacKey { id: self.id.value, secret: Secret(secret.into()) })
    }
}

/// The octets of a key: as written, or from hexadecimal digits.
fn key(written: &[u8], place: Place, report: &mut Diagnostics) -> Option<Vec<u8>> {
    let octets = match written.strip_prefix(HEX) {
        None => written.to_vec(),
        Some(digits) => {
            let Some(octets) = from_hex(digits) else {
                report
                    .error(place, "what follows hex: is not pairs of hexadecimal digits")
                    .help("write 64 to 128 digits, say those of: openssl rand -hex 32");
                return None;
            };
            octets
        }
    };
    if !KEY.contains(&octets.len()) {
        let message = format!("the secret has {} octets, and type \"hmac\" takes keys of 32 to 64", octets.len());
        report.error(place, message).help("make one with: (echo -n hex:; openssl rand -hex 32) > FILE");
        return None;
    }
    Some(octets)
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}
