//! keepalived's configuration, read as keepalived reads it and written as ours.
//!
//! ```text
//! files -> lines -> statements -> what they mean here -> TOML
//!   (reader)    (tree)       (one file for each block)   (document)
//! ```
//!
//! Whatever cannot be carried over is named with its file and line, both in the remarks and as a comment in the TOML.

mod addresses;
mod command;
mod document;
mod globals;
mod group;
mod hmac;
mod instance;
mod loops;
mod macros;
mod note;
mod notify;
mod reader;
mod surroundings;
mod track;
mod transport;
mod tree;
mod unmapped;
mod value;
mod words;

pub use note::{Note, NoteKind};
pub use surroundings::{Surroundings, ThisHost};

use super::{Context, Diagnostics};
use document::Document;
use globals::Globals;
use group::Groups;
use instance::Instance;
use note::Notes;
use std::path::Path;
use track::Tracks;
use tree::Statement;

/// What became of a configuration of keepalived's.
#[derive(Debug)]
pub struct Import {
    /// The configuration as TOML, with the remarks as comments.
    pub toml: String,
    /// The remarks, in the order of the blocks.
    pub notes: Vec<Note>,
    /// Why the TOML would be refused as it stands, if it would.
    pub refused: Option<Diagnostics>,
}

/// Imports a text that came from `path`; what it includes is read from around there.
#[must_use]
pub fn import(path: &Path, text: &str, surroundings: &dyn Surroundings) -> Import {
    let mut notes = Notes::default();
    let lines = reader::read(path, text, surroundings, &mut notes);
    let statements = tree::parse(&lines, &mut notes);
    let mut document = Document::new(path);
    map(&statements, surroundings, &mut document, &mut notes);
    // What is about no table that came of it.
    document.remark(&notes.claim(0));
    let toml = document.to_string();
    let refused = super::load_text(Path::new("imported.toml"), &toml, &Context::portable()).err();
    Import { toml, notes: notes.into_list(), refused }
}

/// Gives every block to who knows what it means.
fn map(statements: &[Statement], surroundings: &dyn Surroundings, document: &mut Document, notes: &mut Notes) {
    let named = |names: &'static [&'static str]| statements.iter().filter(|block| names.contains(&block.keyword()));
    let mut globals = Globals::default();
    for block in named(&["global_defs"]) {
        globals.read(block, notes);
    }
    for block in statements {
        unmapped::root(block, notes);
    }
    let mut tracks = Tracks::default();
    for block in named(&["vrrp_script", "vrrp_track_process", "track_file", "vrrp_track_file"]) {
        tracks.define(block, surroundings, notes);
    }
    let mut instances: Vec<Instance> = Vec::new();
    for block in named(&["vrrp_instance"]) {
        instances.extend(Instance::read(block, &globals, &mut tracks, surroundings, &instances, notes));
    }
    let mut groups = Groups::default();
    for block in named(&["vrrp_sync_group"]) {
        groups.read(block, &mut instances, &mut tracks, surroundings, notes);
    }
    let uses = |table: &document::Table| table.runs_as_script_user();
    let scripts = tracks.tables().any(uses)
        || instances.iter().filter_map(|instance| instance.notify.as_ref()).any(uses)
        || groups.tables().any(uses);
    globals.write(scripts.then_some(surroundings), document, notes);
    tracks.write(document);
    instance::write(instances, document);
    groups.write(document);
}
