//! Who answers for the virtual addresses: asked by ARP ten times a second, and read from the capture.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use netns_tests::{Capture, Host, Packet, Stamp};

const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);

/// Asks who has these addresses, until dropped.
pub(crate) struct Watch {
    addresses: Vec<Ipv4Addr>,
    asked: Arc<Mutex<Vec<Stamp>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// For how long, at most, an address had another number of hosts than one; in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holders {
    /// None.
    pub(crate) none_ms: f64,
    /// Two or more.
    pub(crate) two_ms: f64,
}

impl Watch {
    /// Asks from `host`.
    pub(crate) fn start(host: &Host, addresses: &[Ipv4Addr]) -> Self {
        let (asked, stop): (Arc<Mutex<Vec<Stamp>>>, Arc<AtomicBool>) = Default::default();
        let (times, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let questions: Vec<Vec<u8>> = addresses.iter().map(|address| question(host, *address)).collect();
        let injector = host.injector();
        let thread = Some(std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                times.lock().expect("no thread panics while it holds the times").push(Stamp::now());
                for question in &questions {
                    injector.send(question);
                }
                sleep(BETWEEN_QUESTIONS);
            }
        }));
        Self { addresses: addresses.to_vec(), asked, stop, thread }
    }

    /// Who answered in this span, for the worst of the addresses.
    pub(crate) fn holders(&self, capture: &Capture, start: Stamp, end: Stamp) -> Holders {
        let asked = self.asked.lock().expect("no thread panics while it holds the times").clone();
        let asked: Vec<Stamp> = asked.into_iter().filter(|at| *at >= start && *at < end).collect();
        let events = capture.since(start);
        let mut worst = Holders::default();
        for address in &self.addresses {
            let replies: Vec<(Stamp, [u8; 6])> = events
                .iter()
                .filter_map(|event| match &event.packet {
                    Packet::Arp(arp) if arp.operation == 2 && arp.sender == *address && arp.target != *address => {
                        Some((event.at, arp.sender_mac))
                    }
                    _ => None,
                })
                .collect();
            let counts: Vec<usize> = asked
                .windows(2)
                .map(|pair| {
                    let answers = replies.iter().filter(|(at, _)| (pair[0]..pair[1]).contains(at));
                    answers.map(|(_, mac)| mac).collect::<BTreeSet<_>>().len()
                })
                .collect();
            worst.none_ms = worst.none_ms.max(longest(&asked, &counts, |count| count == 0));
            worst.two_ms = worst.two_ms.max(longest(&asked, &counts, |count| count > 1));
        }
        worst
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The longest run of questions whose number of answers is such.
fn longest(asked: &[Stamp], counts: &[usize], such: impl Fn(usize) -> bool) -> f64 {
    let mut since: Option<Stamp> = None;
    let mut longest: f64 = 0.0;
    for (pair, count) in asked.windows(2).zip(counts) {
        if such(*count) {
            longest = longest.max(pair[1].millis_after(*since.get_or_insert(pair[0])));
        } else {
            since = None;
        }
    }
    longest
}

fn question(host: &Host, address: Ipv4Addr) -> Vec<u8> {
    let IpAddr::V4(own) = host.ip() else { unreachable!("the lab's first addresses are IPv4") };
    let mac = [2, 0, 0, 0, 0, own.octets()[3]];
    let mut frame = vec![0xff; 6];
    frame.extend(mac);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(own.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}
