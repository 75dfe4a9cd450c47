//! Priority and tracks: what a lone router, or a sync group, stands for election with.

use super::diagnostic::Diagnostics;
use super::keys::{ATTACHMENT, VIRTUAL_ROUTER};
use super::reader::{At, Fields, nearest, wrong_kind};
use super::source::Place;
use super::track::TrackDraft;
use super::tree::{Entry, Node, Value};
use crate::engine::{Attachment, Candidacy, Weight};
use crate::units::Priority;
use std::sync::Arc;

/// The keys that a router in a sync group leaves to its group.
pub(super) const KEYS: [&str; 3] = ["priority", "track", "promote_only_with"];

/// The priority of who sets none (RFC 9568, 5.2.4).
const DEFAULT_PRIORITY: u8 = 100;

/// What was written, with its places.
pub(super) struct CandidacyDraft {
    pub priority: Option<At<u8>>,
    pub track: Vec<AttachmentDraft>,
    pub promote_only_with: Vec<At<Arc<str>>>,
}

/// A track in a `track = { ... }`.
pub(super) struct AttachmentDraft {
    pub track: At<Arc<str>>,
    /// Where the weight stands.
    pub place: Place,
    pub weight: Weight,
}

impl CandidacyDraft {
    pub(super) fn read(fields: &Fields<'_>, tracks: &[TrackDraft], report: &mut Diagnostics) -> Self {
        let draft = Self {
            priority: fields.number("priority", 1..=255, report),
            track: fields.entry("track").map_or_else(Vec::new, |entry| attachments(entry, report)),
            promote_only_with: fields.take("promote_only_with", report).unwrap_or_default(),
        };
        for name in draft.names() {
            known(name, tracks, report);
        }
        draft
    }

    /// Every track it names.
    pub(super) fn names(&self) -> impl Iterator<Item = &At<Arc<str>>> {
        self.track.iter().map(|attachment| &attachment.track).chain(&self.promote_only_with)
    }

    pub(super) fn priority(&self) -> Priority {
        let raw = self.priority.as_ref().map_or(DEFAULT_PRIORITY, |at| at.value);
        Priority::new(raw).unwrap_or(Priority::OWNER)
    }

    pub(super) fn resolve(&self) -> Candidacy {
        let attachment =
            |draft: &AttachmentDraft| Attachment { track: draft.track.value.clone(), weight: draft.weight };
        Candidacy {
            priority: self.priority(),
            track: self.track.iter().map(attachment).collect(),
            promote_only_with: self.promote_only_with.iter().map(|at| at.value.clone()).collect(),
        }
    }
}

fn known(name: &At<Arc<str>>, tracks: &[TrackDraft], report: &mut Diagnostics) {
    if tracks.iter().any(|track| track.name == name.value) {
        return;
    }
    let near = nearest(&name.value, tracks.iter().map(|track| &*track.name));
    let help =
        near.map_or_else(|| format!("define it: [track.{}]", name.value), |near| format!("did you mean {near}?"));
    report.missing(name.place, format!("there is no track {}", name.value)).help(help);
}

fn attachments(entry: &Entry, report: &mut Diagnostics) -> Vec<AttachmentDraft> {
    let field = super::reader::Field {
        key: "track",
        help: VIRTUAL_ROUTER.keys.iter().find(|(key, _)| *key == "track").map_or("", |(_, help)| help),
    };
    let Value::Table(table) = &entry.node.value else {
        wrong_kind(&entry.node, field, "a table", report);
        return Vec::new();
    };
    let attachment = |inner: &Entry| {
        let track = At { value: inner.key.as_str().into(), place: inner.key_place };
        // A wrong weight has been reported; the track is still named, so that it does not count as unused.
        let weight = weight(inner, report).unwrap_or(Weight::Required { reverse: false });
        AttachmentDraft { track, place: inner.node.place, weight }
    };
    table.0.iter().map(attachment).collect()
}

fn weight(entry: &Entry, report: &mut Diagnostics) -> Option<Weight> {
    match &entry.node.value {
        Value::String(word) if word == "required" => Some(Weight::Required { reverse: false }),
        Value::Table(table) => {
            let fields = Fields::open(table, entry.key_place, &ATTACHMENT, report);
            let reverse = fields.take("reverse", report).unwrap_or(false);
            let required = fields.take("required", report).unwrap_or(false);
            match (fields.entry("weight"), required) {
                (Some(weight), true) => {
                    report
                        .error(weight.key_place, format!("track {} is required and has a weight too", entry.key))
                        .help("keep one of the two");
                    None
                }
                (Some(weight), false) => {
                    adjustment(&weight.node, &entry.key, report).map(|by| Weight::Adjust { by, reverse })
                }
                (None, true) => Some(Weight::Required { reverse }),
                (None, false) => {
                    report
                        .error(entry.node.place, format!("track {} has no weight", entry.key))
                        .help("write weight = -20 or required = true");
                    None
                }
            }
        }
        _ => adjustment(&entry.node, &entry.key, report).map(|by| Weight::Adjust { by, reverse: false }),
    }
}

fn adjustment(node: &Node, track: &str, report: &mut Diagnostics) -> Option<i16> {
    if let Value::Integer(number) = node.value
        && (-253..=253).contains(&number)
        && number != 0
    {
        return i16::try_from(number).ok();
    }
    report
        .error(
            node.place,
            format!("the weight of track {track} must be \"required\" or a number from -253 to 253, not 0"),
        )
        .help("a negative weight is added while it fails, a positive one while it is healthy");
    None
}
