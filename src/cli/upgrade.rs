//! `vrrpctl upgrade`: asks, and waits until the new daemon answers.

use super::client::{ClientError, Conversation};
use super::ctl::{Verdict, print};
use crate::control::{Ask, Document, UpgradeAnswer};
use std::path::Path;
use std::time::Duration;

/// Between two looks at whether the new daemon answers.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at most: well over the time after which the guardian resigns.
const LOOKS: usize = 250;

#[expect(clippy::disallowed_methods, reason = "a client, not the daemon: it waits between two looks")]
/// Upgrades, and says from which version to which.
pub(super) fn upgrade(socket: &Path) -> Result<Verdict, ClientError> {
    let before = generation(socket)?;
    let UpgradeAnswer { ok, diagnostics, version } = Conversation::open(socket, &Ask::Upgrade {})?.answer()?;
    if !diagnostics.is_empty() {
        anstream::eprintln!("{}", diagnostics.trim_end());
    }
    if !ok {
        anstream::eprintln!("vrrpctl: no upgrade; vrrpd {version} goes on as it was");
        return Ok(Verdict::NotHealthy);
    }
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK);
        // For a moment nobody answers; whoever does is the old one, until the configuration has been loaded anew.
        match document(socket) {
            Ok(document) if document.config.generation == before + 1 => {
                print(&format!("upgraded: vrrpd {version} to {}\n", document.version))?;
                return Ok(Verdict::Done);
            }
            Ok(_) | Err(_) => {}
        }
    }
    anstream::eprintln!(
        "vrrpctl: the new daemon does not answer: look at its log. What vrrpd {version} held is released"
    );
    Ok(Verdict::NotHealthy)
}

fn generation(socket: &Path) -> Result<u64, ClientError> {
    document(socket).map(|document| document.config.generation)
}

fn document(socket: &Path) -> Result<Document, ClientError> {
    Conversation::open(socket, &Ask::Status {})?.answer()
}
