//! Standing in for a daemon that hands over to another one: each Master's last advert is repeated at its interval, so
//! that no peer notices, until the successor relieves the guardian or its time is up.
//!
//! A caretaker takes part in no election: it hears nobody. What is sent to this host meanwhile waits in the sockets that
//! the successor gets, and what has to change is changed there.

use super::super::seal::Stamps;
use super::will::Datagram;
use crate::net::Farewell;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a successor may take. Addresses are renewed as the daemon hands over, and no lease is shorter than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What one Master says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(in crate::daemon) struct Speech {
    /// Which.
    pub(in crate::daemon) router: u32,
    /// Its interval.
    pub(in crate::daemon) pace: Duration,
    /// When it spoke last.
    pub(in crate::daemon) last: Timestamp,
    /// Its adverts to come, each to every destination; the last of them is repeated. More than one is there only where
    /// each carries a digest over a number of its own.
    pub(in crate::daemon) adverts: Vec<Vec<Datagram>>,
}

/// The guardian while nobody else speaks.
#[derive(Debug)]
pub(super) struct Caretaker {
    until: Timestamp,
    speeches: Vec<Speech>,
}

impl Caretaker {
    /// Stands in from `now` on.
    pub(super) fn new(speeches: Vec<Speech>, now: Timestamp) -> Self {
        Self { until: now + PATIENCE, speeches }
    }

    /// When it has something to do.
    pub(super) fn next_deadline(&self) -> Timestamp {
        self.speeches.iter().map(Speech::due).min().unwrap_or(self.until).min(self.until)
    }

    /// Whether no successor came in time.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// Sends what is due.
    pub(super) fn speak(&mut self, now: Timestamp, farewell: &mut Farewell, stamps: &mut Stamps) {
        for speech in self.speeches.iter_mut().filter(|speech| speech.due() <= now) {
            for datagram in speech.next(now) {
                // There is nobody to tell: the peers act on silence.
                let _ = datagram.send(farewell, stamps);
            }
        }
    }
}

impl Speech {
    fn due(&self) -> Timestamp {
        self.last + self.pace
    }

    /// The next advert; the rhythm is kept unless a whole interval was missed.
    fn next(&mut self, now: Timestamp) -> &mut [Datagram] {
        let due = self.due();
        self.last = if now - due < self.pace { due } else { now };
        if self.adverts.len() > 1 {
            self.adverts.rotate_left(1);
            return self.adverts.last_mut().map_or(&mut [], Vec::as_mut_slice);
        }
        self.adverts.first_mut().map_or(&mut [], Vec::as_mut_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_millis(millis))
    }

    fn speech(adverts: &[u8]) -> Speech {
        let datagram = |&octet: &u8| {
            let destination = IpAddr::from([224, 0, 0, 18]);
            vec![Datagram { interface: 2, destination, octets: vec![octet], signature: None }]
        };
        let adverts = adverts.iter().map(datagram).collect();
        Speech { router: 1, pace: Duration::from_millis(100), last: at(1000), adverts }
    }

    #[test]
    fn adverts_keep_the_rhythm_of_the_daemon() {
        let mut one = speech(b"a");
        for (now, octet, due) in [(1100, b'a', 1200), (1230, b'a', 1300), (1500, b'a', 1600)] {
            assert_eq!(one.next(at(now))[0].octets, [octet]);
            assert_eq!(one.due(), at(due));
        }
        let mut numbered = speech(b"abc");
        let said: Vec<u8> = (11..14).map(|tick| numbered.next(at(tick * 100))[0].octets[0]).collect();
        assert_eq!(said, b"abc");
    }

    #[test]
    fn a_caretaker_has_its_time() {
        let caretaker = Caretaker::new(vec![speech(b"a")], at(1050));
        assert_eq!(caretaker.next_deadline(), at(1100));
        assert!(!caretaker.is_over(at(3049)) && caretaker.is_over(at(3050)));
        assert_eq!(Caretaker::new(Vec::new(), at(1050)).next_deadline(), at(3050), "with nothing to say");
    }
}
