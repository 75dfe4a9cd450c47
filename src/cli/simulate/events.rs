//! What happens in a simulation, as it is written: `5s crash a`, `9s fail nginx on b`, `12s cut a->b`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// One thing that happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When, from the start of the simulation.
    pub at: Duration,
    /// What.
    pub deed: Deed,
}

/// What happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deed {
    /// To a host as a whole.
    Host(HostDeed, String),
    /// A track of a host fails or is healthy again.
    Track {
        /// It fails; otherwise it is healthy again.
        fails: bool,
        /// Its name.
        track: String,
        /// Where.
        host: String,
    },
    /// One direction between two hosts.
    Way {
        /// It is cut; otherwise it is mended.
        cut: bool,
        /// Who is no longer heard.
        from: String,
        /// Who no longer hears.
        to: String,
    },
}

/// What can happen to a host as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostDeed {
    /// It is gone without a word.
    Crash,
    /// It starts; where it runs, it stops in the ordinary way first.
    Restart,
    /// Its daemon stands still, and keeps what the kernel has.
    Freeze,
    /// Its daemon goes on.
    Thaw,
    /// It reaches nobody and nobody reaches it. Its links stay up.
    Cut,
    /// Its network works again.
    Mend,
    /// An operator hands over.
    Drain,
    /// An operator lets it stand in the election again.
    Undrain,
}

/// Every word for a host, and what it means.
const HOST_DEEDS: [(&str, HostDeed); 8] = [
    ("crash", HostDeed::Crash),
    ("restart", HostDeed::Restart),
    ("freeze", HostDeed::Freeze),
    ("thaw", HostDeed::Thaw),
    ("cut", HostDeed::Cut),
    ("mend", HostDeed::Mend),
    ("drain", HostDeed::Drain),
    ("undrain", HostDeed::Undrain),
];

/// Why a text is no event.
#[derive(Debug, Eq, Error, PartialEq)]
pub enum EventError {
    /// It does not begin with a time.
    #[error("an event begins with its time from the start, as in \"5s crash a\"; \"{0}\" is no time")]
    NoTime(String),
    /// Nothing follows the time.
    #[error("what happens then? Expected crash, restart, freeze, thaw, cut, mend, drain, undrain, fail or heal")]
    Nothing,
    /// Something else follows it.
    #[error(
        "\"{0}\" is nothing that can happen: expected crash, restart, freeze, thaw, cut, mend, drain, undrain, fail or \
         heal"
    )]
    Unknown(String),
    /// What follows does not go with it.
    #[error("expected \"{0}\"")]
    Form(String),
}

impl FromStr for Event {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        let spaced = text.replace("->", " -> ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let (&time, rest) = words.split_first().ok_or_else(|| EventError::NoTime(String::new()))?;
        let at = humantime::parse_duration(time).map_err(|_| EventError::NoTime(time.to_owned()))?;
        let (&verb, objects) = rest.split_first().ok_or(EventError::Nothing)?;
        Ok(Self { at, deed: deed(time, verb, objects)? })
    }
}

fn deed(time: &str, verb: &str, objects: &[&str]) -> Result<Deed, EventError> {
    let form = |form: &str| Err(EventError::Form(format!("{time} {verb} {form}")));
    if matches!(verb, "fail" | "heal") {
        return match objects {
            [track, "on", host] => {
                Ok(Deed::Track { fails: verb == "fail", track: (*track).to_owned(), host: (*host).to_owned() })
            }
            _ => form("TRACK on HOST"),
        };
    }
    let Some(&(_, deed)) = HOST_DEEDS.iter().find(|(word, _)| *word == verb) else {
        return Err(EventError::Unknown(verb.to_owned()));
    };
    let ways = matches!(deed, HostDeed::Cut | HostDeed::Mend);
    match objects {
        [host] if *host != "->" => Ok(Deed::Host(deed, (*host).to_owned())),
        [from, "->", to] if ways && from != to => {
            Ok(Deed::Way { cut: deed == HostDeed::Cut, from: (*from).to_owned(), to: (*to).to_owned() })
        }
        _ if ways => form(&format!("HOST\" or \"{time} {verb} HOST->HOST")),
        _ => form("HOST"),
    }
}

impl Deed {
    /// The hosts that it names.
    pub(super) fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Host(_, host) | Self::Track { host, .. } => vec![host],
            Self::Way { from, to, .. } => vec![from, to],
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(deed, host) => {
                let word = HOST_DEEDS.iter().find(|(_, other)| other == deed).map_or("", |(word, _)| word);
                write!(f, "{word} {host}")
            }
            Self::Track { fails, track, host } => {
                write!(f, "{} {track} on {host}", if *fails { "fail" } else { "heal" })
            }
            Self::Way { cut, from, to } => write!(f, "{} {from}->{to}", if *cut { "cut" } else { "mend" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        for text in [
            "crash a",
            "restart a",
            "freeze a",
            "thaw a",
            "cut a",
            "mend a",
            "drain a",
            "undrain a",
            "cut a->b",
            "mend a->b",
            "fail nginx on b",
            "heal nginx on b",
        ] {
            let event: Event = format!("1500ms {text}").parse().unwrap();
            assert_eq!((event.at, event.deed.to_string()), (Duration::from_millis(1500), text.to_owned()));
        }
        assert_eq!("5s cut a -> b".parse::<Event>(), "5s cut a->b".parse());
    }

    #[test]
    fn a_mistake_is_told_with_what_was_expected() {
        for (text, expected) in [
            ("", "\"\" is no time"),
            ("crash a", "\"crash\" is no time"),
            ("5 crash a", "\"5\" is no time"),
            ("5s", "what happens then? Expected crash, restart,"),
            ("5s explode a", "\"explode\" is nothing that can happen: expected crash, restart,"),
            ("5s crash", "expected \"5s crash HOST\""),
            ("5s crash a b", "expected \"5s crash HOST\""),
            ("5s crash a->b", "expected \"5s crash HOST\""),
            ("5s fail nginx b", "expected \"5s fail TRACK on HOST\""),
            ("5s fail nginx", "expected \"5s fail TRACK on HOST\""),
            ("5s cut a b", "expected \"5s cut HOST\" or \"5s cut HOST->HOST\""),
            ("5s cut a->a", "expected \"5s cut HOST\" or \"5s cut HOST->HOST\""),
            ("5s mend ->", "expected \"5s mend HOST\" or \"5s mend HOST->HOST\""),
        ] {
            let said = text.parse::<Event>().unwrap_err().to_string();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }
}
