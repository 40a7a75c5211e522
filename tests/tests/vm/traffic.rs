//! Both ends of an association, and numbered messages between them.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, Message, Peer, Refused, Settings};

/// How long anything may take; the machine is emulated.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a test's steps in an event loop of their own.
pub(crate) fn run<T>(steps: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, steps).await.expect("in time") })
}

pub(crate) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn endpoint(local: &[&str], port: u16, settings: &Settings) -> Endpoint {
    endpoint_of(Backend::Kernel, local, port, settings)
}

pub(crate) fn endpoint_of(
    backend: Backend,
    local: &[&str],
    port: u16,
    settings: &Settings,
) -> Endpoint {
    let anybody = Arc::new(|_: &[_]| true);
    Endpoint::bind(backend, &ips(local), port, settings, anybody).expect("it binds")
}

pub(crate) fn peer(addresses: &[&str], port: u16) -> Peer {
    Peer { addresses: ips(addresses), port, encapsulation_port: KERNEL_UDP }
}

/// The UDP port the kernel takes encapsulated packets on, where a test lets it. //= RFC 6951 §5.1
pub(crate) const KERNEL_UDP: u16 = 9899;
/// Our own endpoint's UDP port: there cannot be two of them on one machine.
pub(crate) const OUR_UDP: u16 = 9900;

/// A client's and a server's end of one association.
pub(crate) async fn associated(
    client: &Endpoint,
    server: &Endpoint,
    addresses: &[&str],
) -> io::Result<(Association, Association)> {
    let peer = peer(addresses, server.port());
    let (server, client) = tokio::join!(server.accept(), client.connect(&peer));
    Ok((client?, server?))
}

pub(crate) async fn next(association: &mut Association) -> Event {
    poll_fn(|cx| association.poll_event(cx)).await
}

/// A command of the machine's.
pub(crate) fn system(line: &str) {
    let words: Vec<_> = line.split_whitespace().collect();
    let out = Command::new(words[0]).args(&words[1..]).output().expect(line);
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// One direction: message `n` goes on stream `n` modulo the streams, and tells of itself.
pub(crate) struct Flow {
    pub(crate) count: usize,
    pub(crate) ppid: u32,
    pub(crate) sent: usize,
    pub(crate) received: usize,
    /// Of each stream, the message that has to come next.
    expected: Vec<usize>,
    /// Everything that happened besides.
    pub(crate) others: Vec<Event>,
}

/// Octets of message `n`: mostly short, now and then one that takes many packets.
fn octets(n: usize) -> Vec<u8> {
    let length = if n % 500 == 499 { 60_000 } else { 4 + n % 997 };
    let mut octets = vec![n as u8; length];
    octets[..4].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
    octets
}

const STREAMS: usize = 16;

impl Flow {
    pub(crate) fn new(count: usize, ppid: u32) -> Self {
        let expected = (0..STREAMS).collect();
        Self { count, ppid, sent: 0, received: 0, expected, others: Vec::new() }
    }

    /// Sends until there is no room.
    pub(crate) fn send(&mut self, from: &mut Association) {
        while self.sent < self.count {
            let stream = (self.sent % STREAMS) as u16;
            match from.try_send(stream, self.ppid, &octets(self.sent)) {
                Ok(()) => self.sent += 1,
                Err(Refused::Full) => break,
                Err(refused) => panic!("{refused:?}"),
            }
        }
        from.flush();
    }

    pub(crate) fn take(&mut self, event: Event) {
        let Event::Data(Message { stream, ppid, unordered, octets: found }) = event else {
            self.others.push(event);
            return;
        };
        let expected = &mut self.expected[usize::from(stream)];
        assert_eq!((ppid, unordered), (self.ppid, false));
        assert_eq!(found[..4], u32::try_from(*expected).unwrap().to_be_bytes(), "in order");
        assert!(found == octets(*expected), "message {expected} arrives as it was sent");
        *expected += STREAMS;
        self.received += 1;
    }
}

/// Both directions at once: what `there` and `back` count goes, until all has arrived.
pub(crate) fn poll_both(
    (a, b): (&mut Association, &mut Association),
    there: &mut Flow,
    back: &mut Flow,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        there.send(a);
        back.send(b);
        let mut turn = false;
        if let Poll::Ready(event) = b.poll_event(cx) {
            assert!(!matches!(event, Event::Down { .. }), "{event:?}");
            there.take(event);
            turn = true;
        }
        if let Poll::Ready(event) = a.poll_event(cx) {
            assert!(!matches!(event, Event::Down { .. }), "{event:?}");
            back.take(event);
            turn = true;
        }
        if there.received == there.count && back.received == back.count {
            return Poll::Ready(());
        }
        if !turn {
            return Poll::Pending;
        }
    }
}
