//! `vrrpctl drain` and `undrain`: asks, and waits until it is clear whether somebody took over.

use super::arguments::DrainArguments;
use super::client::{ClientError, Conversation};
use super::ctl::{Verdict, print};
use crate::control::{Ask, Document, Done, RouterDocument};
use std::path::Path;
use std::time::Duration;

/// Between two looks at whether somebody took over.
const LOOK: Duration = Duration::from_millis(100);

/// Looks at most: longer than any Backup waits for a Master (three intervals of 40.95 s and a skew time).
const LOOKS: usize = 1800;

/// Drains the routers that were named, or all.
pub(super) fn drain(socket: &Path, wanted: &DrainArguments) -> Result<Verdict, ClientError> {
    let for_ms = wanted.span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    let drained = each(socket, &wanted.routers, |router| Ask::Drain { router, for_ms, force: wanted.force })?;
    let mut verdict = Verdict::Done;
    for router in settled(socket, &drained)? {
        let name = &router.name;
        match &router.drain {
            None => {
                verdict = Verdict::NotHealthy;
                anstream::eprintln!(
                    "vrrpctl: {name} is not drained: it resigned, but nobody took over, so it is Master again. Look \
                     whether the other host runs vrrpd, is fit and not drained itself; --force takes {name} off duty \
                     all the same, and then nobody holds its addresses"
                );
            }
            Some(drain) => {
                let until = drain.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
                print(&format!("{name}: drained{until}; {}\n", whose(&router)))?;
            }
        }
    }
    Ok(verdict)
}

fn whose(router: &RouterDocument) -> String {
    match &router.master {
        Some(master) if master.priority.is_some() => format!("Master is {}", master.address),
        _ => "no Master is heard".to_owned(),
    }
}

/// Ends the drain of the routers that were named, or of all.
pub(super) fn undrain(socket: &Path, routers: &[String]) -> Result<Verdict, ClientError> {
    for name in each(socket, routers, |router| Ask::Undrain { router })? {
        print(&format!("{name}: stands in the election\n"))?;
    }
    Ok(Verdict::Done)
}

/// Asks for each of them, or once for all. A name that does not exist is found before anything is done.
fn each(socket: &Path, routers: &[String], ask: impl Fn(Option<String>) -> Ask) -> Result<Vec<String>, ClientError> {
    if routers.is_empty() {
        return Ok(Conversation::open(socket, &ask(None))?.answer::<Done>()?.done);
    }
    if routers.len() > 1 {
        let known = status(socket)?;
        for name in routers {
            let exists = known.virtual_routers.iter().any(|router| router.name == *name)
                || known.sync_groups.iter().any(|group| group.name == *name);
            if !exists {
                // The daemon's own words name those that exist.
                Conversation::open(socket, &ask(Some(name.clone())))?.answer::<Done>()?;
            }
        }
    }
    let mut done = Vec::new();
    for name in routers {
        done.extend(Conversation::open(socket, &ask(Some(name.clone())))?.answer::<Done>()?.done);
    }
    Ok(done)
}

/// These routers, once none of them hands over any more.
#[expect(clippy::disallowed_methods, reason = "an operator's tool that waits, not the daemon")]
fn settled(socket: &Path, names: &[String]) -> Result<Vec<RouterDocument>, ClientError> {
    let mut looks = 0;
    loop {
        let mut routers = status(socket)?.virtual_routers;
        routers.retain(|router| names.contains(&router.name));
        looks += 1;
        let open = routers.iter().any(|router| router.drain.as_ref().is_some_and(|drain| drain.handing_over));
        if !open || looks == LOOKS {
            return Ok(routers);
        }
        std::thread::sleep(LOOK);
    }
}

fn status(socket: &Path) -> Result<Document, ClientError> {
    Conversation::open(socket, &Ask::Status {})?.answer()
}
