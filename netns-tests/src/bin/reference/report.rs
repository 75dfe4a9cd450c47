//! The table.

use std::fmt;
use std::time::Duration;

use crate::client::Loss;
use crate::watch::Holders;

/// What the columns are.
pub(crate) const HEADER: &str = "                            | address moved, ms |       lost | client without, ms | no host, ms    | two hosts, ms";

/// A line of the table: each figure with its bound.
pub(crate) struct Row {
    /// What happened.
    pub(crate) name: &'static str,
    /// When the other host announced the address, in milliseconds.
    pub(crate) moved: Option<(f64, Duration)>,
    /// What the client lost.
    pub(crate) loss: Loss,
    /// For how long it may be without an answer; `None` where the address cannot help.
    pub(crate) outage: Option<Duration>,
    /// How many answered for the addresses.
    pub(crate) holders: Holders,
    /// For how long nobody may.
    pub(crate) nobody: Duration,
    /// For how long two may.
    pub(crate) two: Duration,
}

impl Row {
    /// What took longer than its bound and the slack.
    pub(crate) fn excesses(&self, slack: Duration) -> Vec<String> {
        let outage = self.outage.map(|bound| (self.loss.longest_ms, bound));
        let columns = [
            ("the address moved after", self.moved),
            ("the client was without an answer for", outage),
            ("nobody answered for", Some((self.holders.none_ms, self.nobody))),
            ("two hosts answered for", Some((self.holders.two_ms, self.two))),
        ];
        let found = columns.into_iter().filter_map(|(what, figure)| {
            let (figure, bound) = figure?;
            let too_long = figure > (bound + slack).as_secs_f64() * 1e3;
            too_long.then(|| format!("{}: {what} {figure:.0} ms, bound {bound:?}", self.name.trim()))
        });
        found.collect()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounded = |figure: f64, bound: Option<Duration>| {
            let bound = bound.map_or_else(|| "lasts".to_owned(), |bound| bound.as_millis().to_string());
            format!("{figure:.0} ({bound})")
        };
        let moved = self.moved.map(|(figure, bound)| bounded(figure, Some(bound))).unwrap_or_default();
        let lost = format!("{}/{}", self.loss.lost, self.loss.requests);
        let outage = bounded(self.loss.longest_ms, self.outage);
        let (none, two) =
            (bounded(self.holders.none_ms, Some(self.nobody)), bounded(self.holders.two_ms, Some(self.two)));
        write!(f, "{:27} | {moved:>17} | {lost:>10} | {outage:>18} | {none:>14} | {two:>13}", self.name)
    }
}
