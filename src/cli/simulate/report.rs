//! What a simulation has shown, for people: the time line, who was Master of what, and which assertions hold.

use super::assertion::{Assertion, Claim, never_two, not_alone_at, one_within};
use super::play::Course;
use super::reign::{Piece, Reign};
use super::scene::{Scene, SharedRouter};
use super::words::{moment, names, span};
use std::fmt::{self, Write};
use std::time::Duration;

/// A scene and what became of it.
pub(super) struct Report<'a> {
    pub(super) scene: &'a Scene,
    pub(super) course: &'a Course,
}

impl Report<'_> {
    /// Everything but the assertions.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Text can always be appended to.
        let _ = self.time_line(&mut out);
        for (router, reign) in self.scene.routers.iter().zip(&self.course.reigns) {
            let _ = self.reign(&mut out, router, reign);
        }
        out
    }

    fn time_line(&self, out: &mut String) -> fmt::Result {
        let hosts = &self.scene.hosts;
        let width = hosts.iter().map(String::len).max().unwrap_or(0);
        for line in &self.course.lines {
            let host = line.host.and_then(|id| hosts.get(id.0)).map_or("", String::as_str);
            let mark = if line.host.is_none() { "== " } else { "" };
            writeln!(out, "{:>9}  {host:<width$}  {mark}{}", moment(line.at), line.text)?;
        }
        Ok(())
    }

    fn reign(&self, out: &mut String, router: &SharedRouter, reign: &Reign) -> fmt::Result {
        let hosts = &self.scene.hosts;
        writeln!(out, "\n{} ({}, VRID {}) on {}", router.name, router.family, router.vrid, self.who_has(router))?;
        let pieces = reign.pieces();
        let width = pieces.iter().map(|piece| names(&piece.masters, hosts).len()).max().unwrap_or(0);
        for piece in pieces {
            let who = names(&piece.masters, hosts);
            writeln!(out, "{:>9}  {who:<width$}  {:>9}", moment(piece.from), span(piece.span()))?;
        }
        writeln!(out, "  without a Master: {}", sum(pieces, |piece| piece.masters.is_empty()))?;
        writeln!(out, "  with two or more: {}", sum(pieces, |piece| piece.masters.len() > 1))
    }

    fn who_has(&self, router: &SharedRouter) -> String {
        let hosts: Vec<&str> =
            router.on.keys().filter_map(|id| self.scene.hosts.get(id.0)).map(String::as_str).collect();
        hosts.join(", ") + if hosts.len() == 1 { " alone" } else { "" }
    }

    /// What of an assertion does not hold, one line for each virtual router; nothing where it holds.
    pub(super) fn breaches(&self, assertion: &Assertion) -> Vec<String> {
        let hosts = &self.scene.hosts;
        let reigns = self.scene.routers.iter().zip(&self.course.reigns);
        let breaches = reigns.filter_map(|(router, reign)| {
            let pieces = reign.pieces();
            let breach = match &assertion.claim {
                Claim::OneWithin(within) => one_within(*within, pieces, &self.course.calms, hosts),
                Claim::NeverTwo(longest) => never_two(*longest, pieces, hosts),
                Claim::MasterAt { host, router: wanted, at } => {
                    let meant = match wanted {
                        Some(name) => router.is_called(name),
                        None => self.scene.host(host).is_some_and(|id| router.on.contains_key(&id)),
                    };
                    meant.then(|| not_alone_at(host, *at, pieces, hosts)).flatten()
                }
            };
            breach.map(|breach| format!("{}: {breach}", router.name))
        });
        breaches.collect()
    }

    /// The assertions with their outcome; whether all hold.
    pub(super) fn judge(&self, assertions: &[Assertion]) -> (String, bool) {
        let mut out = String::new();
        let mut all = true;
        for assertion in assertions {
            let breaches = self.breaches(assertion);
            all &= breaches.is_empty();
            let _ = writeln!(out, "{}: {}", if breaches.is_empty() { "holds" } else { "FAILS" }, assertion.text);
            for breach in breaches {
                let _ = writeln!(out, "  {breach}");
            }
        }
        if !out.is_empty() {
            out.insert(0, '\n');
        }
        (out, all)
    }
}

fn sum(pieces: &[Piece], counts: impl Fn(&Piece) -> bool) -> String {
    let spans: Vec<Duration> = pieces.iter().filter(|piece| counts(piece)).map(Piece::span).collect();
    match spans.as_slice() {
        [] => "never".to_owned(),
        [once] => format!("{}, once", span(*once)),
        several => {
            let longest = several.iter().max().copied().unwrap_or_default();
            format!("{}, {} times, at most {}", span(several.iter().sum()), several.len(), span(longest))
        }
    }
}
