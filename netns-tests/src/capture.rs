//! What went over the wire.

use std::io::IoSliceMut;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::decode::{decode, decode_any};
use crate::{Advert, Event, Must, Stamp, sys};

/// A running capture. Prints its last events if the test fails.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    place: String,
}

type Decode = fn(Stamp, &[u8]) -> Option<Event>;

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<Event>>,
    arrived: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().expect("no thread panics while it holds the events")
    }
}

impl Capture {
    /// Captures through `socket` until dropped.
    pub(crate) fn start(socket: Socket, place: String) -> Self {
        Self::start_with(socket, place, decode)
    }

    /// Captures every frame, of interest or not.
    pub(crate) fn start_any(socket: Socket, place: String) -> Self {
        Self::start_with(socket, place, decode_any)
    }

    fn start_with(socket: Socket, place: String, decode: Decode) -> Self {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = Some(std::thread::spawn(move || receive(&socket, &for_thread, decode)));
        Self { shared, thread, place }
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.events().clone()
    }

    /// The events from `start` on.
    #[must_use]
    pub fn since(&self, start: Stamp) -> Vec<Event> {
        self.shared.events().iter().filter(|event| event.at >= start).cloned().collect()
    }

    /// The adverts from `start` on, each with its time.
    #[must_use]
    pub fn adverts_since(&self, start: Stamp) -> Vec<(Stamp, Advert)> {
        self.since(start).iter().filter_map(|event| Some((event.at, event.advert()?.clone()))).collect()
    }

    /// All adverts so far, each with its time.
    #[must_use]
    pub fn all_adverts(&self) -> Vec<(Stamp, Advert)> {
        self.events().iter().filter_map(|event| Some((event.at, event.advert()?.clone()))).collect()
    }

    /// Waits for the first event from `start` on that `wanted` takes.
    #[must_use]
    pub fn find(&self, start: Stamp, timeout: Duration, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let deadline = Instant::now() + timeout;
        let mut events = self.shared.events();
        let mut seen = 0;
        loop {
            if let Some(event) = events[seen..].iter().find(|event| event.at >= start && wanted(event)) {
                return Some(event.clone());
            }
            seen = events.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            events =
                self.shared.arrived.wait_timeout(events, left).expect("no thread panics while it holds the events").0;
        }
    }

    /// Like [`Capture::find`], and the test ends if it does not come.
    #[track_caller]
    pub fn wait_for(&self, what: &str, start: Stamp, timeout: Duration, wanted: impl Fn(&Event) -> bool) -> Event {
        match self.find(start, timeout, wanted) {
            Some(event) => event,
            None => panic!("not within {timeout:?}: {what}"),
        }
    }

    /// Waits for the first advert from `source` at or after `start`.
    #[track_caller]
    pub fn wait_for_advert(&self, source: IpAddr, start: Stamp, timeout: Duration) -> (Stamp, Advert) {
        let wanted = |event: &Event| event.advert().is_some_and(|advert| advert.source == source);
        let event = self.wait_for(&format!("an advert of {source}"), start, timeout, wanted);
        (event.at, event.advert().expect("it is one").clone())
    }

    /// Waits until `source` alone has advertised for `quiet`; the test ends if others still speak after `timeout`.
    #[track_caller]
    pub fn wait_until_only(&self, source: IpAddr, quiet: Duration, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            let start = Stamp::now();
            std::thread::sleep(quiet);
            let adverts = self.adverts_since(start);
            if !adverts.is_empty() && adverts.iter().all(|(_, advert)| advert.source == source && advert.priority > 0) {
                return;
            }
            assert!(Instant::now() < deadline, "{source} is not the only Master after {timeout:?}");
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if std::thread::panicking() {
            let events = self.shared.events();
            println!("--- the last packets at {} ---", self.place);
            events[events.len().saturating_sub(40)..].iter().for_each(|event| println!("{event}"));
        }
    }
}

/// A packet socket on interface `index` of the calling thread's namespace, with kernel time stamps.
pub(crate) fn packet_socket(index: u32) -> Socket {
    // Without a protocol nothing comes in before it is bound to the interface.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None::<Protocol>).must("opening a packet socket");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).must("asking for time stamps");
    socket.set_recv_buffer_size(8 << 20).must("enlarging the capture's buffer");
    socket.bind(&sys::every_frame_on(index).must("the interface")).must("binding a packet socket");
    socket
}

fn receive(socket: &Socket, shared: &Shared, decode: Decode) {
    let mut buffer = [0; 2048];
    while !shared.stop.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut waiting, 20u8).is_ok_and(|ready| ready > 0) {
            continue;
        }
        while let Some((at, length)) = receive_one(socket, &mut buffer) {
            if let Some(event) = decode(at, &buffer[..length]) {
                shared.events().push(event);
                shared.arrived.notify_all();
            }
        }
    }
}

fn receive_one(socket: &Socket, buffer: &mut [u8]) -> Option<(Stamp, usize)> {
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
    let at = message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmTimestampns(time) => Some(Stamp::from(time)),
        _ => None,
    });
    Some((at?, message.bytes))
}
