//! `authentication = { ... }` of VRRPv2 (RFC 2338, 5.3.6).

use super::diagnostic::Diagnostics;
use super::host::{Context, Reported};
use super::keys::AUTHENTICATION;
use super::reader::{At, Fields};
use super::source::Place;
use super::tree::Entry;
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
enum SecretSource {
    Inline(At<String>),
    File(At<PathBuf>),
}

/// What was written.
pub(super) struct AuthDraft {
    /// Where the type stands.
    pub place: Place,
    kind: Kind,
    flavour: AhFlavour,
    secret: SecretSource,
}

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<AuthDraft> {
    let fields = Fields::of(entry, &AUTHENTICATION, report)?;
    let kind = fields.present("type", report).then(|| fields.choice("type", &KINDS, report)).flatten();
    let flavour = fields.choice("flavour", &FLAVOURS, report);
    let secret = secret(&fields, report);
    let kind = kind?;
    if let Some(at) = flavour.as_ref().filter(|_| kind.value != Kind::Ah) {
        report.error(at.place, "flavour means nothing to this type").help("it belongs to type \"ah\": remove it");
    }
    if let Some(entry) = fields.entry("key_id").filter(|_| kind.value != Kind::Hmac) {
        report
            .error(entry.key_place, "key_id means nothing to this type")
            .help("it belongs to type \"hmac\": remove it");
    }
    let flavour = flavour.map_or_else(AhFlavour::default, |at| at.value);
    Some(AuthDraft { place: kind.place, kind: kind.value, flavour, secret: secret? })
}

fn secret(fields: &Fields<'_>, report: &mut Diagnostics) -> Option<SecretSource> {
    let inline: Option<At<String>> = fields.take("secret", report);
    let file: Option<At<PathBuf>> = fields.take("secret_file", report);
    match (fields.entry("secret"), fields.entry("secret_file")) {
        (Some(_), Some(second)) => {
            report
                .error(second.key_place, "authentication has both secret and secret_file")
                .help("keep one of the two");
            None
        }
        (None, None) => {
            report
                .error(fields.place, "authentication needs secret or secret_file")
                .help("add secret = \"...\", or secret_file = \"/etc/vrrpd/key\" to keep it out of this file");
            None
        }
        _ => inline.map(SecretSource::Inline).or(file.map(SecretSource::File)),
    }
}

impl AuthDraft {
    /// Whether the secret travels in clear text.
    pub(super) fn is_password(&self) -> bool {
        self.kind == Kind::Password
    }

    /// The authentication with its secret; a secret that is not to be read leaves zeros, which only a summary sees.
    pub(super) fn resolve(&self, context: &Context<'_>, report: &mut Diagnostics) -> Auth {
        let resolved = match &self.secret {
            SecretSource::Inline(at) => self.with_secret(at.value.as_bytes(), at.place, report),
            SecretSource::File(at) => match context.secret(at, report) {
                Ok(Some(secret)) => self.with_secret(&secret, at.place, report),
                Ok(None) if self.is_password() => Some(Auth::Password([0; 8])),
                Ok(None) => Some(self.ah(&[0; 8])),
                Err(Reported) => None,
            },
        };
        resolved.unwrap_or_default()
    }

    fn with_secret(&self, secret: &[u8], place: Place, report: &mut Diagnostics) -> Option<Auth> {
        match (self.kind, self.flavour) {
            (Kind::Hmac, _) => None,
            (Kind::Password, _) => eight_octets(secret, place, report).map(Auth::Password),
            (Kind::Ah, AhFlavour::Keepalived) => {
                eight_octets(secret, place, report)?;
                Some(self.ah(secret))
            }
            (Kind::Ah, AhFlavour::Rfc2402) => {
                if secret.len() != 16 {
                    report
                        .error(place, format!("the secret has {} octets, and RFC 2403 takes keys of 16", secret.len()))
                        .help("write 16 octets, or flavour = \"keepalived\", which takes up to 8");
                    return None;
                }
                Some(self.ah(secret))
            }
        }
    }

    fn ah(&self, secret: &[u8]) -> Auth {
        Auth::Ah { key: Secret(secret.into()), flavour: self.flavour }
    }
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
