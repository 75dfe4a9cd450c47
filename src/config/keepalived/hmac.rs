//! `auth_hmac`, of keepalived 2.4: the trailer that authenticates adverts.

use super::document::{Item, Table};
use super::note::{Notes, Place};
use super::tree::Statement;
use crate::units::Version;
use std::path::Path;

/// What the block says.
#[derive(Debug)]
pub(super) struct Hmac {
    place: Place,
    keys: Vec<Key>,
    active: Option<u8>,
    mode: Option<&'static str>,
    window: Option<u16>,
}

#[derive(Debug)]
struct Key {
    id: u8,
    /// `secret` or `secret_file`, and what goes there.
    secret: (&'static str, String),
}

impl Hmac {
    pub(super) fn read(block: &Statement, notes: &mut Notes) -> Self {
        let place = block.place.clone();
        let mut hmac = Self { place, keys: Vec::new(), active: None, mode: None, window: None };
        for statement in block.inner() {
            hmac.take(statement, notes);
        }
        hmac
    }

    fn take(&mut self, statement: &Statement, notes: &mut Notes) {
        let place = &statement.place;
        match statement.keyword() {
            "key" => match key(statement) {
                Ok(key) if self.keys.iter().any(|other| other.id == key.id) => {
                    notes.broken(place, format!("key {} is there twice", key.id));
                }
                Ok(key) => self.keys.push(key),
                Err(message) => notes.broken(place, message),
            },
            "active_key" => self.active = statement.number(&(1..=255), notes),
            "time_window" => self.window = statement.number(&(1..=300), notes),
            "mode" => match statement.value() {
                Some("enforce") => self.mode = None,
                Some("permissive") => self.mode = Some("permissive"),
                Some("receive-only") => self.mode = Some("receive-only"),
                _ => notes.broken(place, "mode is enforce, permissive or receive-only"),
            },
            "anti_replay" if statement.value() == Some("time") => {}
            "anti_replay" => notes.changed(
                place,
                "time stamps are always compared with the clock: the hosts' clocks must not differ by more than window",
            ),
            other => notes.unmapped(place, format!("{other}: this import does not know the word")),
        }
    }

    /// Sets `authentication`.
    pub(super) fn write(self, version: Version, table: &mut Table, notes: &mut Notes) {
        let place = &self.place;
        if version == Version::V2 {
            return notes
                .unmapped(place, "auth_hmac: there is no trailer of version 2; write version = 3 on every host");
        }
        if table.get("unicast_peers").is_none() {
            return notes.unmapped(place, "auth_hmac: the trailer is for unicast_peers only");
        }
        let Some(first) = self.keys.first() else {
            return notes.broken(place, "auth_hmac without a key is left out");
        };
        let active = self.active.unwrap_or_else(|| {
            notes.changed(place, format!("there is no active_key: key {} signs", first.id));
            first.id
        });
        if !self.keys.iter().any(|key| key.id == active) {
            return notes.broken(place, format!("active_key {active} is not among the keys: auth_hmac is left out"));
        }
        let mut pairs = vec![pair("type", "hmac"), pair("key_id", active)];
        match <[Key; 1]>::try_from(self.keys) {
            Ok([Key { secret: (name, secret), .. }]) => pairs.push(pair(name, secret)),
            Err(keys) => {
                let item = |Key { id, secret: (name, secret) }| Item::Inline(vec![pair("id", id), pair(name, secret)]);
                pairs.push(pair("keys", Item::List(keys.into_iter().map(item).collect())));
            }
        }
        pairs.extend(self.mode.map(|mode| pair("mode", mode)));
        pairs.extend(self.window.map(|seconds| pair("window", format!("{seconds}s"))));
        table.set("authentication", Item::Inline(pairs));
    }
}

fn pair(key: &str, item: impl Into<Item>) -> (String, Item) {
    (key.to_owned(), item.into())
}

/// `key ID VALUE`.
fn key(statement: &Statement) -> Result<Key, String> {
    let [_, id, value] = &statement.words[..] else { return Err("key takes a number and the key".to_owned()) };
    let id = id.parse().ok().filter(|id| *id > 0).ok_or("a key has a number from 1 to 255")?;
    let Some(file) = value.strip_prefix("file:") else {
        let octets = value.strip_prefix("hex:").map_or(value.len(), |digits| digits.len() / 2);
        if !(32..=64).contains(&octets) {
            return Err(format!("key {id} has {octets} octets, and not 32 to 64"));
        }
        return Ok(Key { id, secret: ("secret", value.clone()) });
    };
    if !Path::new(file).is_absolute() {
        return Err(format!("the file of key {id} is not named by its absolute path"));
    }
    Ok(Key { id, secret: ("secret_file", file.to_owned()) })
}
