//! Keeps what has to outlive the daemon: the history and the drains. A thread of its own writes, so that a slow disk
//! holds up nobody; what it cannot take in time is dropped, and that is said.

use super::drains::{SavedDrains, read_drains, write_drains};
use super::history::Entry;
use super::journal::{Journal, Recovered};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// What waits for the disk at most.
const WAITING: usize = 4096;

/// Records written at once.
const BATCH: usize = 256;

/// Where its words go.
pub type Complaint = Arc<dyn Fn(String) + Send + Sync>;

/// The service side's end.
#[derive(Debug)]
pub struct Keeper {
    /// `None` where nothing can be kept.
    sender: Option<SyncSender<Work>>,
    dropped: Arc<AtomicU64>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Restored {
    /// Its history, oldest first.
    pub entries: Vec<Entry>,
    /// Its drains.
    pub drains: SavedDrains,
}

enum Work {
    Record(Entry),
    Drains(SavedDrains),
    Finish(SyncSender<()>),
}

impl Keeper {
    /// Opens the state in `directory` and reads it. Where that is not possible, `complain` says so once, and nothing
    /// is kept: the daemon has better to do than to fail for that.
    #[must_use]
    pub fn start(directory: &Path, complain: &Complaint) -> (Self, Restored) {
        let dropped = Arc::new(AtomicU64::new(0));
        let (journal, Recovered { entries, remarks }) = match Journal::open(&directory.join("history")) {
            Ok(opened) => opened,
            Err(error) => {
                complain(format!("{error}: history and drains do not survive a restart"));
                return (Self { sender: None, dropped }, Restored::default());
            }
        };
        for remark in remarks {
            complain(remark);
        }
        let file = directory.join("drains");
        let drains = read_drains(&file).unwrap_or_else(|error| {
            complain(format!("{error}: no router is drained"));
            SavedDrains::default()
        });
        let (sender, work) = sync_channel(WAITING);
        let desk = Desk { journal, file, complain: Arc::clone(complain), missing: 0, failing: false };
        let lost = Arc::clone(&dropped);
        let thread = std::thread::Builder::new().name("keeper".to_owned()).stack_size(256 << 10);
        if let Err(error) = thread.spawn(move || desk.run(&work, &lost)) {
            complain(format!("no thread to write with ({error}): history and drains do not survive a restart"));
            return (Self { sender: None, dropped }, Restored { entries, drains });
        }
        (Self { sender: Some(sender), dropped }, Restored { entries, drains })
    }

    /// Keeps one more record.
    pub fn record(&self, entry: Entry) {
        self.send(Work::Record(entry));
    }

    /// Keeps these drains instead of the ones before.
    pub fn drains(&self, drains: SavedDrains) {
        self.send(Work::Drains(drains));
    }

    /// Waits until everything is written, for a while.
    pub fn finish(&self, patience: Duration) {
        let (done, finished) = sync_channel(1);
        self.send(Work::Finish(done));
        let _ = finished.recv_timeout(patience);
    }

    fn send(&self, work: Work) {
        if let Some(sender) = &self.sender
            && sender.try_send(work).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread's end.
struct Desk {
    journal: Journal,
    file: PathBuf,
    complain: Complaint,
    /// Records that could not be written since it was last said.
    missing: usize,
    failing: bool,
}

impl Desk {
    fn run(mut self, work: &Receiver<Work>, dropped: &AtomicU64) {
        while let Ok(first) = work.recv() {
            let mut records = Vec::new();
            let mut finished = Vec::new();
            let mut drains = None;
            for work in std::iter::once(first).chain(work.try_iter()).take(BATCH) {
                match work {
                    Work::Record(entry) => records.push(entry),
                    Work::Drains(latest) => drains = Some(latest),
                    Work::Finish(done) => finished.push(done),
                }
            }
            self.keep(&records);
            if let Some(drains) = drains
                && let Err(error) = write_drains(&self.file, &drains)
            {
                (self.complain)(format!("{error}: after a restart other routers are drained than now"));
            }
            let lost = dropped.swap(0, Ordering::Relaxed);
            if lost > 0 {
                (self.complain)(format!("the disk is too slow: {lost} records are missing in the history on disk"));
            }
            for done in finished {
                let _ = done.send(());
            }
        }
    }

    /// Trouble is said once, and its end too.
    fn keep(&mut self, records: &[Entry]) {
        if records.is_empty() {
            return;
        }
        match self.journal.append(records) {
            Ok(()) if self.failing => {
                (self.complain)(format!("the history is written again: {} records are missing in it", self.missing));
                (self.failing, self.missing) = (false, 0);
            }
            Ok(()) => {}
            Err(error) => {
                self.missing += records.len();
                if !std::mem::replace(&mut self.failing, true) {
                    let directory = self.file.parent().unwrap_or(&self.file).display();
                    (self.complain)(format!(
                        "cannot write the history in {directory}: {error}. It is kept in memory only until that is mended"
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tempfile::TempDir;

    fn entry(seq: u64) -> Entry {
        Entry { seq, json: format!(r#"{{"seq":{seq},"text":"x"}}"#).into() }
    }

    fn listener() -> (Complaint, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let words = Arc::clone(&said);
        (Arc::new(move |word| words.lock().unwrap().push(word)), said)
    }

    fn numbers(restored: &Restored) -> Vec<u64> {
        restored.entries.iter().map(|entry| entry.seq).collect()
    }

    /// A directory may be locked for a moment longer than its keeper lives: the thread holds it.
    fn restart(dir: &TempDir) -> Restored {
        for _ in 0..1000 {
            let (complain, said) = listener();
            let (_, restored) = Keeper::start(dir.path(), &complain);
            if said.lock().unwrap().is_empty() {
                return restored;
            }
            std::thread::yield_now();
        }
        panic!("the lock is not let go");
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart() {
        let dir = TempDir::new().unwrap();
        let (complain, said) = listener();
        let (keeper, restored) = Keeper::start(dir.path(), &complain);
        assert!(numbers(&restored).is_empty());
        (1..=1000).for_each(|seq| keeper.record(entry(seq)));
        keeper.drains([("web".into(), crate::control::SavedDrain::default())].into());
        keeper.finish(Duration::from_secs(10));
        drop(keeper);
        assert_eq!(*said.lock().unwrap(), Vec::<String>::new());
        let restored = restart(&dir);
        assert_eq!(numbers(&restored), (1..=1000).collect::<Vec<_>>());
        assert!(restored.drains.contains_key("web"));
    }

    /// `/dev/full` takes nothing, like a disk that is full.
    #[test]
    fn a_full_disk_is_said_once_and_so_is_its_end() {
        let dir = TempDir::new().unwrap();
        let (complain, said) = listener();
        let (journal, _) = Journal::open(&dir.path().join("history")).unwrap();
        let file = dir.path().join("drains");
        let mut desk = Desk { journal, file, complain, missing: 0, failing: false };
        let segment = dir.path().join("history/00000000000000000001.log");
        std::os::unix::fs::symlink("/dev/full", &segment).unwrap();
        (1..=3).for_each(|seq| desk.keep(&[entry(seq)]));
        assert_eq!(said.lock().unwrap().len(), 1, "{said:?}");
        assert!(said.lock().unwrap()[0].contains("No space left on device"), "{said:?}");
        std::fs::remove_file(&segment).unwrap();
        desk.journal.forget_segment();
        (4..=5).for_each(|seq| desk.keep(&[entry(seq)]));
        assert_eq!(said.lock().unwrap()[1..], ["the history is written again: 3 records are missing in it"]);
        drop(desk);
        assert_eq!(numbers(&restart(&dir)), [4, 5]);
    }

    #[test]
    fn a_state_directory_that_cannot_be_used_is_said_and_costs_nothing_else() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (complain, said) = listener();
        let (keeper, restored) = Keeper::start(&file, &complain);
        keeper.record(entry(1));
        keeper.finish(Duration::from_secs(10));
        assert!(restored.entries.is_empty());
        let said = said.lock().unwrap();
        assert!(said.len() == 1 && said[0].contains("do not survive a restart"), "{said:?}");
    }
}
