//! The history on disk: segments of lines, each with its checksum. The oldest segment goes when a new one begins.
//!
//! ```text
//! history/00000000000000000001.log      8f14e45fceea167a {"seq":1,...}
//! ```

use super::history::Entry;
use crate::vrrp::Seq;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Records in one segment.
const SEGMENT: usize = 2500;

/// Segments kept: at least 10,000 records while the newest one fills.
const SEGMENTS: usize = 5;

/// The open history.
#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    /// The first numbers of all segments, the oldest first.
    segments: VecDeque<Seq>,
    current: Option<Segment>,
    /// Held for as long as the daemon lives.
    _lock: File,
}

#[derive(Debug)]
struct Segment {
    file: File,
    records: usize,
    /// Octets up to the end of the last whole line.
    length: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// Oldest first.
    pub(super) entries: Vec<Entry>,
    /// What was wrong, in words.
    pub(super) remarks: Vec<String>,
}

/// Why there is no history on disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    /// Two daemons, one directory.
    #[error("another vrrpd keeps its state in {0}: set another state_directory")]
    Held(PathBuf),
    /// The kernel refused.
    #[error("cannot {doing} {path}: {error}")]
    File {
        /// What was asked of the kernel.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

impl Journal {
    /// Opens the history in `directory`, which is made where it does not exist, and reads what is there. Whatever
    /// comes after the last whole line is cut off: the daemon or the host went down while it was written.
    pub(super) fn open(directory: &Path) -> Result<(Self, Recovered), JournalError> {
        let step = |doing, path: &Path, error| JournalError::File { doing, path: path.to_owned(), error };
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)
            .map_err(|error| step("make", directory, error))?;
        let lock = lock(&directory.join("lock"))?;
        let mut segments = list(directory).map_err(|error| step("read", directory, error))?;
        segments.make_contiguous().sort_unstable();
        let mut recovered = Recovered::default();
        let mut current = None;
        for (index, &first) in segments.iter().enumerate() {
            let path = segment_path(directory, first);
            let octets = fs::read(&path).map_err(|error| step("read", &path, error))?;
            let found = read(&octets);
            if found.damaged > 0 {
                recovered.remarks.push(format!("{} damaged records of {} are left out", found.damaged, path.display()));
            }
            if index + 1 == segments.len() {
                let file = File::options().append(true).open(&path).map_err(|error| step("open", &path, error))?;
                let torn = octets.len() - found.whole;
                if torn > 0 {
                    let remark =
                        format!("{} ended in the middle of a record: {torn} octets are cut off", path.display());
                    recovered.remarks.push(remark);
                }
                let length = found.whole as u64;
                file.set_len(length).map_err(|error| step("cut", &path, error))?;
                current = Some(Segment { file, records: found.entries.len(), length });
            }
            recovered.entries.extend(found.entries);
        }
        Ok((Self { directory: directory.to_owned(), segments, current, _lock: lock }, recovered))
    }

    /// Writes records, oldest first. After an error the file ends with a whole line, as before.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        for batch in entries.chunks(SEGMENT) {
            let first = batch.first().map_or(0, |entry| entry.seq);
            self.write(first, batch)?;
        }
        Ok(())
    }

    fn write(&mut self, first: Seq, batch: &[Entry]) -> io::Result<()> {
        let full = self.current.as_ref().is_none_or(|segment| segment.records >= SEGMENT);
        if full {
            self.begin(first)?;
        }
        let Some(segment) = &mut self.current else { return Ok(()) };
        let lines: String = batch.iter().map(|entry| sealed(&entry.json)).collect();
        if let Err(error) = segment.file.write_all(lines.as_bytes()).and_then(|()| segment.file.sync_data()) {
            // Half a line in the middle would spoil the next one.
            let _ = segment.file.set_len(segment.length);
            return Err(error);
        }
        segment.length += lines.len() as u64;
        segment.records += batch.len();
        Ok(())
    }

    /// As if the newest segment were full.
    #[cfg(test)]
    pub(super) fn forget_segment(&mut self) {
        self.current = None;
        self.segments.clear();
    }

    fn begin(&mut self, first: Seq) -> io::Result<()> {
        let path = segment_path(&self.directory, first);
        let file = File::options().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        self.current = Some(Segment { file, records: 0, length });
        self.segments.push_back(first);
        while self.segments.len() > SEGMENTS {
            if let Some(oldest) = self.segments.pop_front() {
                fs::remove_file(segment_path(&self.directory, oldest))?;
            }
        }
        Ok(())
    }
}

/// Text as one line with its checksum in front.
pub(super) fn sealed(text: &str) -> String {
    format!("{} {text}\n", checksum(text))
}

/// The text of a line that [`sealed`] wrote, without its end; `None` where anything about it was changed.
pub(super) fn unsealed(line: &str) -> Option<&str> {
    let (sum, text) = line.split_once(' ')?;
    (checksum(text) == sum).then_some(text)
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |sum, &octet| sum << 8 | u64::from(octet));
    format!("{first:016x}")
}

#[derive(Debug, Default)]
struct Found {
    entries: Vec<Entry>,
    /// Lines that are not as they were written, with whole ones after them.
    damaged: usize,
    /// Octets up to the end of the last whole line.
    whole: usize,
}

fn read(octets: &[u8]) -> Found {
    let mut found = Found::default();
    let (mut end, mut suspect) = (0, 0);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        end += line.len();
        match line.strip_suffix(b"\n").and_then(|line| entry(std::str::from_utf8(line).ok()?)) {
            Some(entry) => {
                found.entries.push(entry);
                found.damaged += std::mem::take(&mut suspect);
                found.whole = end;
            }
            None => suspect += 1,
        }
    }
    found
}

fn entry(line: &str) -> Option<Entry> {
    #[derive(Deserialize)]
    struct Known {
        seq: Seq,
    }
    let json = unsealed(line)?;
    let Known { seq } = serde_json::from_str(json).ok()?;
    Some(Entry { seq, json: json.into() })
}

fn list(directory: &Path) -> io::Result<VecDeque<Seq>> {
    let mut segments = VecDeque::new();
    for file in fs::read_dir(directory)? {
        let name = file?.file_name();
        let first: Option<Seq> = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        segments.extend(first);
    }
    Ok(segments)
}

fn segment_path(directory: &Path, first: Seq) -> PathBuf {
    directory.join(format!("{first:020}.log"))
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let step = |doing, error| JournalError::File { doing, path: path.to_owned(), error };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|e| step("open", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Held(path.parent().unwrap_or(path).to_owned())),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(step("lock", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn entries(numbers: std::ops::RangeInclusive<Seq>) -> Vec<Entry> {
        let entry = |seq| Entry { seq, json: format!(r#"{{"seq":{seq},"text":"record {seq}"}}"#).into() };
        numbers.map(entry).collect()
    }

    fn open(dir: &TempDir) -> (Journal, Recovered) {
        Journal::open(&dir.path().join("history")).unwrap()
    }

    fn files(dir: &TempDir) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir.path().join("history")).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        files
    }

    #[test]
    fn records_are_there_after_a_restart() {
        let dir = TempDir::new().unwrap();
        let (mut journal, found) = open(&dir);
        assert!(found.entries.is_empty() && found.remarks.is_empty());
        journal.append(&entries(1..=3)).unwrap();
        drop(journal);
        let (mut journal, found) = open(&dir);
        assert_eq!(found.entries, entries(1..=3));
        journal.append(&entries(4..=5)).unwrap();
        drop(journal);
        assert_eq!(open(&dir).1.entries, entries(1..=5));
        assert_eq!(files(&dir).len(), 1);
    }

    #[test]
    fn the_last_ten_thousand_are_kept_and_no_file_grows_for_ever() {
        let dir = TempDir::new().unwrap();
        let (mut journal, _) = open(&dir);
        for batch in entries(1..=40_000).chunks(100) {
            journal.append(batch).unwrap();
        }
        drop(journal);
        let found = open(&dir).1.entries;
        assert!((10_000..=12_500).contains(&found.len()), "{} records", found.len());
        assert_eq!(found.last().unwrap().seq, 40_000);
        assert!(found.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "no gap");
        assert_eq!(files(&dir).len(), SEGMENTS);
    }

    #[test]
    fn a_torn_tail_is_cut_off_wherever_it_is_torn() {
        let dir = TempDir::new().unwrap();
        let (mut journal, _) = open(&dir);
        journal.append(&entries(1..=3)).unwrap();
        drop(journal);
        let path = files(&dir).remove(0);
        let whole = fs::read(&path).unwrap();
        let second = whole.split_inclusive(|&octet| octet == b'\n').take(2).map(<[u8]>::len).sum::<usize>();
        for length in second + 1..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, found) = open(&dir);
            assert_eq!(found.entries, entries(1..=2), "torn at {length}");
            assert!(found.remarks[0].contains("are cut off"), "{:?}", found.remarks);
            journal.append(&entries(3..=3)).unwrap();
            drop(journal);
            let (_, found) = open(&dir);
            assert_eq!((found.entries, found.remarks), (entries(1..=3), vec![]), "torn at {length}");
        }
    }

    #[test]
    fn every_changed_octet_is_noticed_and_costs_one_record() {
        let dir = TempDir::new().unwrap();
        let (mut journal, _) = open(&dir);
        journal.append(&entries(1..=3)).unwrap();
        drop(journal);
        let path = files(&dir).remove(0);
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|&octet| octet == b'\n').unwrap();
        for place in 0..first {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            if damaged[place] == b'\n' {
                continue;
            }
            let found = read(&damaged);
            assert_eq!((found.entries, found.damaged), (entries(2..=3), 1), "at {place}");
        }
    }

    #[test]
    fn one_directory_is_for_one_daemon() {
        let dir = TempDir::new().unwrap();
        let (_journal, _) = open(&dir);
        let error = Journal::open(&dir.path().join("history")).unwrap_err();
        assert!(error.to_string().contains("another vrrpd keeps its state in"), "{error}");
    }
}
