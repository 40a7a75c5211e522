//! Callers that are nobody, slow, many, or refused.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::panic)]

mod toy;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use net::door::{DOOR_CALLERS_PER_SOURCE_MAX, DOOR_HELLO_OCTETS_MAX};
use toy::stack::{HEAD, NO, frame};
use toy::{Peer, Wish, loopback, start, wait_until};

fn from(source: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

#[test]
fn a_refused_caller_receives_the_reply_whole() {
    let net = start(Wish::default());
    let mut peer = Peer::connect(net.address);
    // More than the hello: unread octets must not reset the connection under the reply.
    peer.send(&[frame(b'H', 77, 0, 0, &[]), vec![0; 5000]].concat());
    assert_eq!(peer.rest().unwrap(), NO);
    assert_eq!(net.count("stranger"), 1);
    assert!(net.running.stop(Duration::ZERO));
}

#[test]
fn what_is_not_expected_is_closed_before_a_byte_is_read() {
    let net = start(Wish {
        expected: |source| source != IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66)),
        ..Wish::default()
    });
    let stream = from("127.0.0.66".parse().unwrap(), net.address).unwrap();
    assert!(Peer::new(stream).frame().is_err());
    assert_eq!(net.count("unexpected address"), 1);
    net.join(0);
    assert_eq!(net.count("admitted"), 1);
    assert!(net.running.stop(Duration::ZERO));
}

#[test]
fn two_thousand_callers_who_say_nothing_harm_nobody() {
    const CALLERS: usize = 2000;
    // Eight addresses with 250 callers each, of whom 32 may wait.
    let net = start(Wish::default());
    let home = net.join(1);
    let home = thread::spawn(|| home.echo());
    let mut asker = net.join(0);
    let address = net.address;
    let flood = thread::spawn(move || {
        let source = |n: usize| IpAddr::V4(Ipv4Addr::new(127, 0, 1, (n % 8) as u8 + 1));
        let calls: Vec<_> = (0..CALLERS).filter_map(|n| from(source(n), address).ok()).collect();
        calls.len()
    });
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    while !flood.is_finished() || asked < 100 {
        let sent = Instant::now();
        asker.send(&frame(b'?', 1, 9, 9, b"well"));
        assert_eq!(asker.frame().unwrap()[HEAD..], *b"well");
        slowest = slowest.max(sent.elapsed());
        asked += 1;
    }
    let called = flood.join().unwrap();
    println!("{called} callers, {asked} exchanges meanwhile, the slowest {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let total = || {
        let list = net.running.counters().list();
        list.iter().map(|(_, count)| *count).sum::<u64>() as usize
    };
    // Two were admitted; every other was turned away for some reason, none is forgotten.
    wait_until("all turned away", || total() == called + 2);
    let list = net.running.counters().list();
    assert!(list.iter().any(|(why, _)| why.starts_with("too many callers")), "{list:?}");
    // The door is open again for the one who belongs here.
    drop(asker);
    net.wait_up(0, false);
    net.join(0);
    assert!(net.running.stop(Duration::ZERO));
    home.join().unwrap();
}

#[test]
fn one_address_cannot_fill_the_door_and_slowness_ends() {
    let net = start(Wish::default());
    let slow: Vec<_> =
        (0..DOOR_CALLERS_PER_SOURCE_MAX + 8).map(|_| Peer::connect(net.address)).collect();
    wait_until("refused", || net.count("too many callers from one address") == 8);
    // Another address is still let in.
    let stream = from("127.0.0.9".parse().unwrap(), net.address).unwrap();
    let mut other = Peer::new(stream);
    other.send(&frame(b'H', 0, 0, 0, &[]));
    net.wait_up(0, true);
    wait_until("too slow", || net.count("too slow") == DOOR_CALLERS_PER_SOURCE_MAX as u64);
    drop(slow);
    assert!(net.running.stop(Duration::ZERO));
}

#[test]
fn a_first_message_without_end_is_cut() {
    struct Never;
    impl net::Admission for Never {
        fn expects(&self, _: IpAddr) -> bool {
            true
        }
        fn ppid(&self) -> u32 {
            0
        }
        fn hello(&self, _: &[u8], _: &relay::Caller<'_>) -> relay::Hello {
            relay::Hello::Incomplete
        }
    }
    let running = net::spawn(net::Setup {
        workers: vec![net::WorkerSetup {
            gateway: Box::new(|worker| {
                relay::Gateway::new(relay::Setup {
                    worker,
                    workers: 1,
                    stacks: Vec::new(),
                    links: Vec::new(),
                    policy: std::sync::Arc::new(toy::stack::Anything),
                    board: std::sync::Arc::new(relay::Board::new(0)),
                    request_timeout_ms: 1,
                    seed: 1,
                })
            }),
            sink: Box::new(|_| {}),
        }],
        listeners: vec![net::Listener {
            address: loopback(),
            tls: None,
            admission: std::sync::Arc::new(Never),
        }],
        endpoints: Vec::new(),
        peers: Vec::new(),
        symbols: procedure::Symbols::default(),
        clock: net::Clock::new(),
    })
    .unwrap();
    let mut peer = Peer::connect(running.addresses()[0]);
    peer.send(&vec![0; DOOR_HELLO_OCTETS_MAX]);
    assert!(peer.frame().is_err());
    wait_until("counted", || running.counters().count("first message too long") == 1);
    assert!(running.stop(Duration::ZERO));
}
