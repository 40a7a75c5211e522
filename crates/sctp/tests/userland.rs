//! Our own SCTP on loopback: order, loss, strangers, restarts, peers that do not read.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, Message, Peer, Refused, Settings};
use tokio::time::timeout;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const M3UA: u32 = 3;
const DIAMETER: u32 = 46;
const PATIENCE: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings { rto_initial_ms: 100, rto_min_ms: 50, rto_max_ms: 400, ..Settings::default() }
}

fn endpoint(local: &[IpAddr], settings: &Settings) -> Endpoint {
    let backend = Backend::Udp { encapsulation_port: 0 };
    let admits = Arc::new(|from: &[IpAddr]| from.iter().all(IpAddr::is_loopback));
    Endpoint::bind(backend, local, 0, settings, admits).expect("an endpoint")
}

fn at(endpoint: &Endpoint, addresses: &[IpAddr]) -> Peer {
    let encapsulation_port = endpoint.encapsulation_port();
    Peer { addresses: addresses.to_vec(), port: endpoint.port(), encapsulation_port }
}

async fn pair(settings: &Settings) -> (Endpoint, Endpoint, Association, Association) {
    let (server, client) = (endpoint(&[HERE], settings), endpoint(&[HERE], settings));
    let peer = at(&server, &[HERE]);
    let (there, here) = tokio::join!(server.accept(), client.connect(&peer));
    (server, client, there.expect("accepted"), here.expect("connected"))
}

async fn event(association: &mut Association) -> Event {
    timeout(PATIENCE, poll_fn(|cx| association.poll_event(cx))).await.expect("an event in time")
}

async fn message(association: &mut Association) -> Message {
    loop {
        match event(association).await {
            Event::Data(message) => return message,
            Event::Down { why } => panic!("it has ended: {why}"),
            _ => {}
        }
    }
}

async fn send(association: &mut Association, stream: u16, ppid: u32, octets: &[u8]) {
    while let Err(refused) = association.try_send(stream, ppid, octets) {
        assert_eq!(refused, Refused::Full);
        association.flush();
        poll_fn(|cx| association.poll_writable(cx)).await;
    }
}

/// Sends `count` numbered messages over several streams and checks each stream's order at the end.
async fn run(mut from: Association, mut to: Association, count: u32) -> (Association, Association) {
    let sender = tokio::spawn(async move {
        for number in 0..count {
            let stream = (number % 7) as u16;
            let ppid = if number % 2 == 0 { M3UA } else { DIAMETER };
            let mut octets = number.to_be_bytes().to_vec();
            octets.resize(172, 0x55);
            send(&mut from, stream, ppid, &octets).await;
            if number % 64 == 0 {
                from.flush();
            }
        }
        from.flush();
        from
    });
    let mut next: Vec<u32> = (0..7).collect();
    for _ in 0..count {
        let message = message(&mut to).await;
        let number = u32::from_be_bytes(message.octets[..4].try_into().unwrap());
        let expected = &mut next[usize::from(message.stream)];
        assert_eq!(number, *expected, "stream {}", message.stream);
        assert_eq!(message.ppid, if number % 2 == 0 { M3UA } else { DIAMETER });
        assert_eq!(message.octets.len(), 172);
        *expected += 7;
    }
    (sender.await.expect("the sender ends"), to)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_keep_their_order_both_ways() {
    let (_server, _client, there, here) = pair(&settings()).await;
    let (here, there) = run(here, there, 50_000).await;
    run(there, here, 50_000).await;
}

#[tokio::test]
async fn an_orderly_end_delivers_everything() {
    let (_server, _client, mut there, mut here) = pair(&settings()).await;
    for number in 0..1_000_u32 {
        send(&mut here, 1, M3UA, &number.to_be_bytes()).await;
    }
    here.shutdown();
    assert_eq!(here.try_send(1, M3UA, b"late"), Err(Refused::Closed));
    for number in 0..1_000_u32 {
        assert_eq!(message(&mut there).await.octets, number.to_be_bytes());
    }
    assert!(matches!(event(&mut there).await, Event::Down { .. }));
    assert!(matches!(event(&mut here).await, Event::Down { .. }));
    assert!(matches!(event(&mut here).await, Event::Down { .. }), "and always that");
}

#[tokio::test]
async fn dropping_an_association_ends_it_for_the_peer() {
    let (_server, _client, mut there, here) = pair(&settings()).await;
    drop(here);
    assert!(matches!(event(&mut there).await, Event::Down { why: "the peer aborted it" }));
}

#[tokio::test]
async fn nobody_there_is_said_in_time() {
    let client = endpoint(&[HERE], &settings());
    let peer = Peer { addresses: vec![HERE], port: 2905, encapsulation_port: 9 };
    let error = timeout(PATIENCE, client.connect(&peer)).await.expect("in time").unwrap_err();
    assert_eq!(error.to_string(), "the peer does not answer");
}

#[tokio::test]
async fn strangers_and_forged_cookies_open_nothing() {
    let backend = Backend::Udp { encapsulation_port: 0 };
    let deaf = Endpoint::bind(backend, &[HERE], 0, &settings(), Arc::new(|_| false)).expect("one");
    let client = endpoint(&[HERE], &settings());
    let outcome = timeout(PATIENCE, client.connect(&at(&deaf, &[HERE]))).await.expect("in time");
    assert!(outcome.is_err(), "not admitted");

    // A COOKIE ECHO out of the blue, with the right ports and checksum, whatever is in it.
    let server = endpoint(&[HERE], &settings());
    let socket = tokio::net::UdpSocket::bind((HERE, 0)).await.expect("a socket");
    let to = SocketAddr::new(HERE, server.encapsulation_port());
    for cookie_octets in [0, 4, 36, 77, 200] {
        let mut packet = [&2905_u16.to_be_bytes()[..], &server.port().to_be_bytes()].concat();
        packet.extend([0, 0, 0, 1, 0, 0, 0, 0, 10, 0, 0, 4 + cookie_octets]);
        packet.resize(packet.len() + usize::from(cookie_octets), 7);
        let sum = crc32c::crc32c(&packet);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
        socket.send_to(&packet, to).await.expect("sent");
    }
    let accepted = timeout(Duration::from_millis(300), server.accept()).await;
    assert!(accepted.is_err(), "a forged cookie opened an association");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_holds_up_nobody_else_and_does_not_grow() {
    // Data that finds no room is sent again, and counts as unanswered: patience is what is asked
    // for here.
    let small = Settings {
        receive_octets_max: 256 << 10,
        send_octets_max: 256 << 10,
        association_retransmissions_max: 1_000,
        ..settings()
    };
    let server = endpoint(&[HERE], &small);
    let (first, second) = (endpoint(&[HERE], &small), endpoint(&[HERE], &small));
    let peer = at(&server, &[HERE]);
    let (mut lazy, mut sender) = {
        let (there, here) = tokio::join!(server.accept(), first.connect(&peer));
        (there.expect("accepted"), here.expect("connected"))
    };
    let mut taken = 0_u32;
    let mut idle = 0;
    // Full, and full again later: nothing drains.
    while idle < 20 {
        match sender.try_send(1, M3UA, &[taken.to_be_bytes(); 64].concat()) {
            Ok(()) => (taken, idle) = (taken + 1, 0),
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                sender.flush();
                idle += 1;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        assert!(taken < 100_000, "it takes everything");
    }
    let (there, here) = tokio::join!(server.accept(), second.connect(&peer));
    run(here.expect("connected"), there.expect("accepted"), 5_000).await;
    // Once it reads, everything comes, in order.
    for number in 0..taken {
        assert_eq!(message(&mut lazy).await.octets[..4], number.to_be_bytes());
    }
    timeout(PATIENCE, poll_fn(|cx| sender.poll_writable(cx))).await.expect("room again");
}

/// Forwards datagrams between two sides, but for some.
struct Lossy {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Lossy {
    async fn before(server: &Endpoint, lost_of_hundred: u64) -> Self {
        let socket = tokio::net::UdpSocket::bind((HERE, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("bound");
        let to = SocketAddr::new(HERE, server.encapsulation_port());
        let task = tokio::spawn(async move {
            let (mut buffer, mut client) = (vec![0; 65_536], None);
            let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
            loop {
                let Ok((octets, from)) = socket.recv_from(&mut buffer).await else { continue };
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                if from != to {
                    client = Some(from);
                }
                let onward = if from == to { client } else { Some(to) };
                if let Some(onward) = onward.filter(|_| dice % 100 >= lost_of_hundred) {
                    let _ = socket.send_to(&buffer[..octets], onward).await;
                }
            }
        });
        Self { address, task }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_costs_time_and_nothing_else() {
    let (server, client) = (endpoint(&[HERE], &settings()), endpoint(&[HERE], &settings()));
    let lossy = Lossy::before(&server, 5).await;
    let peer = Peer {
        addresses: vec![HERE],
        port: server.port(),
        encapsulation_port: lossy.address.port(),
    };
    let (there, here) = tokio::join!(server.accept(), client.connect(&peer));
    run(here.expect("connected"), there.expect("accepted"), 5_000).await;
    lossy.task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_address_takes_over() {
    let second: IpAddr = [127, 0, 0, 2].into();
    let both = [HERE, second];
    let (server, client) = (endpoint(&both, &settings()), endpoint(&both, &settings()));
    let peer = at(&server, &both);
    let (there, here) = tokio::join!(server.accept(), client.connect(&peer));
    let (there, here) = (there.expect("accepted"), here.expect("connected"));
    assert_eq!(there.peer_addresses(), both);
    run(here, there, 2_000).await;
}

#[tokio::test]
async fn noise_harms_nobody() {
    let (server, _client, there, here) = pair(&settings()).await;
    let socket = tokio::net::UdpSocket::bind((HERE, 0)).await.expect("a socket");
    let to = SocketAddr::new(HERE, server.encapsulation_port());
    let mut dice = 88_172_645_463_325_252_u64;
    let mut next = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice
    };
    for round in 0..10_000 {
        let length = (next() % 120) as usize;
        let mut packet: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        if round % 2 == 0 && length >= 16 {
            // Right ports, checksum and a chunk's shape, so that it gets further in.
            packet[2..4].copy_from_slice(&server.port().to_be_bytes());
            packet[12] = (next() % 16) as u8;
            packet[14..16].copy_from_slice(&((length - 12) as u16).to_be_bytes());
            packet[8..12].fill(0);
            let sum = crc32c::crc32c(&packet);
            packet[8..12].copy_from_slice(&sum.to_le_bytes());
        }
        let _ = socket.send_to(&packet, to).await;
        if round % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    run(here, there, 500).await;
}
