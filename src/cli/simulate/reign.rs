//! Who was Master of one virtual router when.

use crate::sim::{NodeId, Quality};
use std::collections::BTreeSet;
use std::time::Duration;

/// An overlap no longer than one advert takes is a hand-over: the old Master gives way at the first advert of the new
/// one. It is shown, and no assertion minds it.
const HAND_OVER: Duration = Quality::GOOD.delay.saturating_add(Quality::GOOD.jitter);

/// What became of one virtual router.
#[derive(Debug, Default)]
pub(super) struct Reign {
    masters: BTreeSet<NodeId>,
    since: Duration,
    pieces: Vec<Piece>,
}

/// A span of time in which the Masters were the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) masters: BTreeSet<NodeId>,
}

impl Reign {
    /// A host becomes Master, or no longer is. Times come in order.
    pub(super) fn note(&mut self, at: Duration, host: NodeId, master: bool) {
        if self.masters.contains(&host) == master {
            return;
        }
        self.close(at);
        if master {
            self.masters.insert(host);
        } else {
            self.masters.remove(&host);
        }
    }

    /// The run is over.
    pub(super) fn end(&mut self, at: Duration) {
        self.close(at);
    }

    fn close(&mut self, at: Duration) {
        if at <= self.since {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if last.masters == self.masters => last.to = at,
            _ => self.pieces.push(Piece { from: self.since, to: at, masters: self.masters.clone() }),
        }
        self.since = at;
    }

    /// From the start to the end, without gaps, no two neighbours alike.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

impl Piece {
    pub(super) fn span(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// Two or more, for longer than a hand-over takes.
    pub(super) fn is_split(&self) -> bool {
        self.masters.len() > 1 && self.span() > HAND_OVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn pieces_have_no_gaps_and_no_equal_neighbours() {
        let (a, b) = (NodeId(0), NodeId(1));
        let mut reign = Reign::default();
        // Within one moment it comes and goes: that is nothing.
        for (at, host, master) in
            [(10, a, true), (20, b, true), (20, b, false), (30, b, true), (31, a, false), (31, a, false)]
        {
            reign.note(ms(at), host, master);
        }
        reign.end(ms(50));
        let pieces: Vec<_> = reign.pieces().iter().map(|piece| (piece.from, piece.to, piece.masters.len())).collect();
        assert_eq!(pieces, [(ms(0), ms(10), 0), (ms(10), ms(30), 1), (ms(30), ms(31), 2), (ms(31), ms(50), 1)]);
    }
}
