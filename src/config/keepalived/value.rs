//! Values of keepalived's: numbers, seconds, yes and no, and names.

use super::note::Notes;
use super::tree::Statement;
use crate::config::value::is_label;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

impl Statement {
    /// The number after the keyword, if it is in the range.
    pub(super) fn number<T>(&self, range: &RangeInclusive<T>, notes: &mut Notes) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let number = self.value().and_then(|text| text.parse().ok()).filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("{} takes a number from {} to {}", self.keyword(), range.start(), range.end());
            notes.broken(&self.place, message);
        }
        number
    }

    /// The seconds after the keyword, with fractions.
    pub(super) fn seconds(&self, notes: &mut Notes) -> Option<Duration> {
        const LONGEST: f64 = 86_400.0 * 365.0;
        let seconds = self.value().and_then(|text| text.parse::<f64>().ok()).filter(|s| (0.0..=LONGEST).contains(s));
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if duration.is_none() {
            notes.broken(&self.place, format!("{} takes a number of seconds", self.keyword()));
        }
        duration
    }

    /// `on`, `true` or `yes`, which nothing at all means too, or the contrary.
    pub(super) fn flag(&self) -> bool {
        !matches!(self.value(), Some("off" | "false" | "no"))
    }
}

/// Names that are labels here, each once.
#[derive(Debug, Default)]
pub(super) struct Labels(BTreeSet<String>);

impl Labels {
    /// A label that is as near to the name as possible and not given yet.
    pub(super) fn give(&mut self, name: &str) -> String {
        let clean: String =
            name.chars().map(|c| if c.is_alphanumeric() || "_-.:@".contains(c) { c } else { '-' }).collect();
        let clean = clean.trim_start_matches(['-', '.', ':', '@']);
        let mut base = if clean.is_empty() { "unnamed" } else { clean };
        // Room for a number.
        while base.len() > 56 {
            base = &base[..base.char_indices().next_back().map_or(0, |(at, _)| at)];
        }
        let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
        let label = std::iter::once(base.to_owned()).chain(numbered).find(|label| !self.0.contains(label));
        let label = label.unwrap_or_default();
        debug_assert!(is_label(&label), "{label}");
        self.0.insert(label.clone());
        label
    }
}
