//! What a simulation must show: `one master within 4s`, `never two masters`, `master a at 12s`.

use super::reign::Piece;
use super::words::{moment, names, span};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// One thing that must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assertion {
    /// As it was written.
    pub text: String,
    /// What it means.
    pub claim: Claim,
}

/// What must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// This long after the start and after every event, each virtual router has one Master, until the next event.
    OneWithin(Duration),
    /// No virtual router has more than one Master for longer than this; without it, than a hand-over takes.
    NeverTwo(Option<Duration>),
    /// A host alone is Master at a moment: of this virtual router, or of each that it has.
    MasterAt {
        /// Who.
        host: String,
        /// Of what.
        router: Option<String>,
        /// When.
        at: Duration,
    },
}

/// Why a text is no assertion.
#[derive(Debug, Eq, Error, PartialEq)]
pub enum AssertionError {
    /// None of the forms.
    #[error(
        "expected \"one master within TIME\", \"never two masters\", \"never two masters longer than TIME\", \
         \"master HOST at TIME\" or \"master HOST of ROUTER at TIME\""
    )]
    Form,
    /// What stands for a time is none.
    #[error("\"{0}\" is no time: write 4s or 500ms")]
    NoTime(String),
}

impl FromStr for Assertion {
    type Err = AssertionError;

    fn from_str(text: &str) -> Result<Self, AssertionError> {
        let time = |word: &str| humantime::parse_duration(word).map_err(|_| AssertionError::NoTime(word.to_owned()));
        let words: Vec<&str> = text.split_whitespace().collect();
        let claim = match words.as_slice() {
            ["one", "master", "within", within] => Claim::OneWithin(time(within)?),
            ["never", "two", "masters"] => Claim::NeverTwo(None),
            ["never", "two", "masters", "longer", "than", longest] => Claim::NeverTwo(Some(time(longest)?)),
            ["master", host, "at", at] => Claim::MasterAt { host: (*host).to_owned(), router: None, at: time(at)? },
            ["master", host, "of", router, "at", at] => {
                Claim::MasterAt { host: (*host).to_owned(), router: Some((*router).to_owned()), at: time(at)? }
            }
            _ => return Err(AssertionError::Form),
        };
        Ok(Self { text: words.join(" "), claim })
    }
}

/// From when to when nothing was done to the hosts, and what had been done before.
#[derive(Clone, Debug)]
pub(super) struct Calm {
    pub(super) after: String,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// The first breach of "one master within": the first time that a piece without exactly one Master reaches out of the
/// time it may take.
pub(super) fn one_within(within: Duration, pieces: &[Piece], calms: &[Calm], hosts: &[String]) -> Option<String> {
    let wrong = pieces.iter().filter(|piece| piece.masters.is_empty() || piece.is_split());
    let mut breaches = wrong.flat_map(|piece| {
        calms.iter().filter_map(move |calm| {
            let (from, to) = (piece.from.max(calm.from + within), piece.to.min(calm.to));
            (from < to).then_some((piece, calm))
        })
    });
    let (piece, calm) = breaches.next()?;
    Some(format!(
        "{}, and it has to be one from {} on ({} after {})",
        sentence(piece, hosts),
        moment(calm.from + within),
        span(within),
        calm.after
    ))
}

/// The first breach of "never two masters".
pub(super) fn never_two(longest: Option<Duration>, pieces: &[Piece], hosts: &[String]) -> Option<String> {
    let mut two = pieces.iter().filter(|piece| piece.masters.len() > 1);
    let breach = two.find(|piece| longest.map_or_else(|| piece.is_split(), |longest| piece.span() > longest))?;
    Some(sentence(breach, hosts))
}

/// Who is Master at a moment, where it is not this one alone.
pub(super) fn not_alone_at(host: &str, at: Duration, pieces: &[Piece], hosts: &[String]) -> Option<String> {
    let piece = pieces.iter().find(|piece| piece.from <= at && at < piece.to).or(pieces.last())?;
    (names(&piece.masters, hosts) != host).then(|| sentence(piece, hosts))
}

fn sentence(piece: &Piece, hosts: &[String]) -> String {
    let verb = if piece.masters.len() > 1 { "are" } else { "is" };
    let names = names(&piece.masters, hosts);
    format!("{names} {verb} Master from {} to {}, for {}", moment(piece.from), moment(piece.to), span(piece.span()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_understood() {
        let second = Duration::from_secs(1);
        let at =
            |router: Option<&str>| Claim::MasterAt { host: "a".into(), router: router.map(Into::into), at: second };
        for (text, claim) in [
            ("one master within 1s", Claim::OneWithin(second)),
            ("never two masters", Claim::NeverTwo(None)),
            ("never two  masters longer than 1s", Claim::NeverTwo(Some(second))),
            ("master a at 1s", at(None)),
            ("master a of web at 1s", at(Some("web"))),
        ] {
            assert_eq!(text.parse::<Assertion>().unwrap().claim, claim, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_what_was_expected() {
        for (text, expected) in [
            ("", "expected \"one master within TIME\""),
            ("two masters", "\"never two masters longer than TIME\""),
            ("one master within", "expected"),
            ("one master within soon", "\"soon\" is no time: write 4s or 500ms"),
            ("master a at 12", "\"12\" is no time"),
        ] {
            let said = text.parse::<Assertion>().unwrap_err().to_string();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }
}
