//! `authentication = { ... }`: of VRRPv2 (RFC 2338, 5.3.6), or a trailer of VRRPv3 (see `hmac`).

use super::diagnostic::Diagnostics;
use super::hmac::{self, HmacDraft};
use super::host::{Context, Reported};
use super::keys::AUTHENTICATION;
use super::reader::{At, Fields};
use super::source::Place;
use super::tree::Entry;
use crate::units::Interval;
use crate::vrrp::{AhFlavour, Auth, Secret};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Password,
    Ah,
    Hmac,
}

const KINDS: [(&str, Kind); 3] = [("password", Kind::Password), ("ah", Kind::Ah), ("hmac", Kind::Hmac)];

const FLAVOURS: [(&str, AhFlavour); 2] = [("keepalived", AhFlavour::Keepalived), ("rfc2402", AhFlavour::Rfc2402)];

/// Where the secret is.
pub(super) enum SecretSource {
    Inline(At<String>),
    File(At<PathBuf>),
}

/// What was written.
pub(super) struct AuthDraft {
    /// Where the type stands.
    pub place: Place,
    method: Method,
}

enum Method {
    Password(SecretSource),
    Ah(AhFlavour, SecretSource),
    Hmac(HmacDraft),
}

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<AuthDraft> {
    let fields = Fields::of(entry, &AUTHENTICATION, report)?;
    let kind = fields.present("type", report).then(|| fields.choice("type", &KINDS, report)).flatten();
    let flavour = fields.choice("flavour", &FLAVOURS, report);
    let kind = kind?;
    if let Some(at) = flavour.as_ref().filter(|_| kind.value != Kind::Ah) {
        report.error(at.place, "flavour means nothing to this type").help("it belongs to type \"ah\": remove it");
    }
    let of_hmac = ["key_id", "keys", "mode", "window"].into_iter().filter(|_| kind.value != Kind::Hmac);
    for entry in of_hmac.filter_map(|key| fields.entry(key)) {
        report
            .error(entry.key_place, format!("{} means nothing to this type", entry.key))
            .help("it belongs to type \"hmac\": remove it");
    }
    let method = match kind.value {
        Kind::Password => Method::Password(SecretSource::read(&fields, report)?),
        Kind::Ah => {
            let flavour = flavour.map_or_else(AhFlavour::default, |at| at.value);
            Method::Ah(flavour, SecretSource::read(&fields, report)?)
        }
        Kind::Hmac => Method::Hmac(hmac::read(&fields, report)?),
    };
    Some(AuthDraft { place: kind.place, method })
}

impl SecretSource {
    pub(super) fn read(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<Self> {
        let inline: Option<At<String>> = fields.take("secret", report);
        let file: Option<At<PathBuf>> = fields.take("secret_file", report);
        match (fields.entry("secret"), fields.entry("secret_file")) {
            (Some(_), Some(second)) => {
                report
                    .error(second.key_place, format!("{} has both secret and secret_file", fields.title()))
                    .help("keep one of the two");
                None
            }
            (None, None) => {
                report
                    .error(fields.place, format!("{} needs secret or secret_file", fields.title()))
                    .help("add secret = \"...\", or secret_file = \"/etc/vrrpd/key\" to keep it out of this file");
                None
            }
            _ => inline.map(Self::Inline).or(file.map(Self::File)),
        }
    }

    /// Where it is named.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Inline(at) => at.place,
            Self::File(at) => at.place,
        }
    }

    /// As it is written; `None` where it is not to be read.
    pub(super) fn octets(&self, context: &Context<'_>, report: &mut Diagnostics) -> Result<Option<Vec<u8>>, Reported> {
        match self {
            Self::Inline(at) => Ok(Some(at.value.as_bytes().to_vec())),
            Self::File(at) => context.secret(at, report),
        }
    }
}

impl AuthDraft {
    /// Whether the secret travels in clear text.
    pub(super) fn is_password(&self) -> bool {
        matches!(self.method, Method::Password(_))
    }

    /// Whether it is a trailer of VRRPv3.
    pub(super) fn is_hmac(&self) -> bool {
        matches!(self.method, Method::Hmac(_))
    }

    /// The authentication with its secrets; one that is not to be read leaves zeros, which only a summary sees.
    pub(super) fn resolve(&self, interval: Interval, context: &Context<'_>, report: &mut Diagnostics) -> Auth {
        let resolved = match &self.method {
            Method::Password(source) => match source.octets(context, report) {
                Ok(Some(secret)) => eight_octets(&secret, source.place(), report).map(Auth::Password),
                Ok(None) => Some(Auth::Password([0; 8])),
                Err(Reported) => None,
            },
            Method::Ah(flavour, source) => match source.octets(context, report) {
                Ok(Some(secret)) => checked_ah(&secret, *flavour, source.place(), report),
                Ok(None) => Some(ah(&[0; 8], *flavour)),
                Err(Reported) => None,
            },
            Method::Hmac(draft) => draft.resolve(interval, context, report).map(Auth::Hmac),
        };
        resolved.unwrap_or_default()
    }
}

fn checked_ah(secret: &[u8], flavour: AhFlavour, place: Place, report: &mut Diagnostics) -> Option<Auth> {
    match flavour {
        AhFlavour::Keepalived => {
            eight_octets(secret, place, report)?;
        }
        AhFlavour::Rfc2402 if secret.len() != 16 => {
            report
                .error(place, format!("the secret has {} octets, and RFC 2403 takes keys of 16", secret.len()))
                .help("write 16 octets, or flavour = \"keepalived\", which takes up to 8");
            return None;
        }
        AhFlavour::Rfc2402 => {}
    }
    Some(ah(secret, flavour))
}

fn ah(secret: &[u8], flavour: AhFlavour) -> Auth {
    Auth::Ah { key: Secret(secret.into()), flavour }
}

/// Up to eight octets, filled up with zeros (RFC 2338, 5.3.10).
fn eight_octets(secret: &[u8], place: Place, report: &mut Diagnostics) -> Option<[u8; 8]> {
    let mut padded = [0; 8];
    let Some(room) = padded.get_mut(..secret.len()).filter(|_| !secret.is_empty()) else {
        report.error(place, format!("the secret has {} octets, and VRRPv2 carries 1 to 8", secret.len())).help(
            "write its first 8 octets: keepalived cuts longer ones off without a word, so that is what its peers use",
        );
        return None;
    };
    room.copy_from_slice(secret);
    Some(padded)
}
