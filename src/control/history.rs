//! The history: the last records, for whoever asks and whoever follows. What is kept in memory are the records
//! themselves, a third of the size of their JSON; they are rendered again when somebody asks, always to the same line.

use super::record::Rendering;
use super::wall::WallClock;
use crate::vrrp::{Record, Seq};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One record of the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its number: from 1, growing, going on over restarts.
    pub seq: Seq,
    /// As JSON on one line.
    pub json: Arc<str>,
}

/// A run of entries, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many that were asked for are no longer kept.
    pub lost: u64,
}

/// A handle on the history; clones share it. Followers keep no queue of their own: each reads on from the number it
/// has seen, so a slow one costs nothing and is told what it missed.
#[derive(Clone, Debug)]
pub struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    newest: watch::Sender<Seq>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Kept>,
    newest: Seq,
}

#[derive(Clone, Debug)]
struct Kept {
    seq: Seq,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Of an earlier run, as it was read.
    Line(Arc<str>),
    /// Of this run, with the clocks as they stood when it was appended.
    Record(Arc<Record>, WallClock),
}

impl Kept {
    fn entry(&self) -> Entry {
        let json = match &self.form {
            Form::Line(json) => Arc::clone(json),
            Form::Record(record, clock) => Rendering::new(record, self.seq, clock).json.into(),
        };
        Entry { seq: self.seq, json }
    }
}

impl From<Entry> for Kept {
    fn from(Entry { seq, json }: Entry) -> Self {
        Self { seq, form: Form::Line(json) }
    }
}

impl History {
    /// How many records are kept in memory.
    pub const KEPT: usize = 10_000;

    /// An empty history whose next record has the number `newest + 1`.
    #[must_use]
    pub fn after_seq(newest: Seq) -> Self {
        let ring = Mutex::new(Ring { entries: VecDeque::new(), newest });
        Self(Arc::new(Shared { ring, newest: watch::Sender::new(newest) }))
    }

    /// A history that goes on from these entries of earlier runs, oldest first.
    #[must_use]
    pub fn restored(entries: Vec<Entry>) -> Self {
        let newest = entries.last().map_or(0, |entry| entry.seq);
        let older = entries.len().saturating_sub(Self::KEPT);
        let entries = entries.into_iter().skip(older).map(Kept::from).collect();
        let ring = Mutex::new(Ring { entries, newest });
        Self(Arc::new(Shared { ring, newest: watch::Sender::new(newest) }))
    }

    /// Keeps a record under the next number and wakes the followers. Returns that number with the rendering.
    #[expect(clippy::must_use_candidate, reason = "appending is the effect; what it became is for those who want it")]
    pub fn append(&self, record: &Arc<Record>, clock: &WallClock) -> (Seq, Rendering) {
        let seq = {
            let mut ring = self.ring();
            let seq = ring.newest + 1;
            ring.push(Kept { seq, form: Form::Record(Arc::clone(record), *clock) });
            seq
        };
        self.0.newest.send_replace(seq);
        (seq, Rendering::new(record, seq, clock))
    }

    /// At most `limit` entries after the number `seen`, oldest first.
    #[must_use]
    pub fn after(&self, seen: Seq, limit: usize) -> Page {
        let (kept, oldest) = {
            let ring = self.ring();
            let oldest = ring.entries.front().map_or(ring.newest + 1, |entry| entry.seq);
            let from = ring.entries.partition_point(|entry| entry.seq <= seen);
            (ring.entries.range(from..).take(limit).cloned().collect::<Vec<Kept>>(), oldest)
        };
        let entries = kept.iter().map(Kept::entry).collect();
        Page { entries, lost: oldest.saturating_sub(seen.saturating_add(1)) }
    }

    /// The number to give to [`Self::after`] for everything that is kept.
    #[must_use]
    pub fn before_oldest(&self) -> Seq {
        let ring = self.ring();
        ring.entries.front().map_or(ring.newest, |entry| entry.seq.saturating_sub(1))
    }

    /// The number of the newest record; changes whenever one is appended.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<Seq> {
        self.0.newest.subscribe()
    }

    /// A poisoned lock is taken all the same: the ring is whole between any two statements that touch it.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    /// The entries as lines of JSON, with a line `{"lost": N}` in front where some are no longer kept.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        if self.lost > 0 {
            lines.extend_from_slice(format!("{{\"lost\":{}}}\n", self.lost).as_bytes());
        }
        for entry in &self.entries {
            lines.extend_from_slice(entry.json.as_bytes());
            lines.push(b'\n');
        }
        lines
    }
}

impl Ring {
    fn push(&mut self, entry: Kept) {
        if self.entries.len() == History::KEPT {
            self.entries.pop_front();
        }
        self.newest = entry.seq;
        self.entries.push_back(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, clock, priority, record};
    use super::*;
    use crate::vrrp::Cause;

    fn filled(records: usize, newest: Seq) -> History {
        let history = History::after_seq(newest);
        for _ in 0..records {
            history.append(&Arc::new(record(Cause::Priority { from: priority(100), to: priority(80) })), &clock());
        }
        history
    }

    fn numbers(page: &Page) -> Vec<Seq> {
        page.entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn numbers_go_on_after_a_restart() {
        let history = filled(2, 41);
        assert_eq!(numbers(&history.after(41, 10)), [42, 43]);
        assert_eq!(*history.newest().borrow(), 43);
    }

    #[test]
    fn a_record_reads_the_same_whenever_somebody_asks() {
        let history = filled(3, 41);
        let moved = Arc::new(record(Cause::Drain { on: true, by: "root (uid 0)".into(), until: Some(at(1_800_000)) }));
        let (seq, rendering) = history.append(&moved, &clock());
        let later = history.after(seq - 1, 9);
        assert_eq!(later.entries, [Entry { seq: 45, json: rendering.json.into() }]);
        let restored = History::restored(history.after(0, 9).entries);
        assert_eq!(restored.after(0, 9).lines(), history.after(0, 9).lines(), "and in the next run");
    }

    #[test]
    fn earlier_runs_are_read_on_from() {
        let earlier = filled(History::KEPT, 500).after(0, usize::MAX).entries;
        let history = History::restored([filled(3, 0).after(0, 9).entries, earlier].concat());
        history.append(&Arc::new(record(Cause::Priority { from: priority(100), to: priority(80) })), &clock());
        let page = history.after(0, 1);
        assert_eq!((numbers(&page), page.lost), (vec![502], 501), "the oldest gave way");
        assert_eq!(*history.newest().borrow(), 501 + History::KEPT as Seq);
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let history = filled(5, 0);
        assert_eq!(numbers(&history.after(0, 2)), [1, 2]);
        assert_eq!(numbers(&history.after(2, 2)), [3, 4]);
        assert_eq!(numbers(&history.after(4, 2)), [5]);
        assert!(history.after(5, 2).entries.is_empty());
    }

    #[test]
    fn what_is_no_longer_kept_is_counted() {
        let history = filled(History::KEPT + 3, 0);
        let page = history.after(1, 1);
        assert_eq!((numbers(&page), page.lost), (vec![4], 2));
        let lines = String::from_utf8(page.lines()).unwrap();
        assert!(lines.starts_with("{\"lost\":2}\n{"), "{lines}");
        assert_eq!(history.after(history.before_oldest(), 1).lost, 0);
    }
}
