//! Exchanges over associations: whole messages, both roles, an end in order.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::panic)]

mod toy;

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use net::{Connect, PeerTransport};
use procedure::{Finish, LinkId};
use sctp::{Association, Backend, Endpoint, Event, Settings};
use tokio::time::timeout;
use toy::stack::{HEAD, check, frame, label};
use toy::{Net, WAIT, Wish, start, wait_until};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn endpoint() -> Endpoint {
    let backend = Backend::Udp { encapsulation_port: 0 };
    Endpoint::bind(backend, &[HERE], 0, &Settings::default(), Arc::new(|_| true)).unwrap()
}

fn at(port: u16, encapsulation_port: u16) -> sctp::Peer {
    sctp::Peer { addresses: vec![HERE], port, encapsulation_port }
}

/// Connects as a link's peer and says so.
async fn join(net: &Net, link: u8) -> Association {
    let there = &net.running.endpoints()[0];
    let own = endpoint();
    let mut association =
        own.connect(&at(there.port(), there.encapsulation_port())).await.expect("connected");
    send(&mut association, &frame(b'H', link, 0, 0, &[]));
    assert_eq!(receive(&mut association).await[4], b'H');
    association
}

fn send(association: &mut Association, octets: &[u8]) {
    association.try_send(1, 0, octets).expect("room");
    association.flush();
}

async fn receive(association: &mut Association) -> Vec<u8> {
    loop {
        match timeout(WAIT, poll_fn(|cx| association.poll_event(cx))).await.expect("in time") {
            Event::Data(message) => return message.octets,
            Event::Down { why } => panic!("it has ended: {why}"),
            _ => {}
        }
    }
}

fn run<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body)
}

#[test]
fn messages_go_there_and_back() {
    for workers in [1, 2] {
        let net = start(Wish { workers, sctp: true, ..Wish::default() });
        run(async {
            let (mut asker, mut home) = (join(&net, 0).await, join(&net, 1).await);
            for number in 0..200 {
                send(&mut asker, &frame(b'?', 1, number, 7, b"payload"));
            }
            for _ in 0..200 {
                let mut request = receive(&mut home).await;
                assert_eq!(request[HEAD..], *b"payload");
                request[4] = b'!';
                send(&mut home, &request);
            }
            for number in 0..200 {
                let answer = receive(&mut asker).await;
                assert_eq!((label(&answer), check(&answer)), (number, 7));
            }
            // What is longer or shorter than it says harms nobody and is recorded.
            send(&mut asker, &[&frame(b'?', 1, 900, 7, b"payload")[..], b"more"].concat());
            send(&mut asker, &frame(b'?', 1, 901, 7, b"payload"));
            assert_eq!(receive(&mut home).await[HEAD..], *b"payload");
        });
        wait_until("recorded", || net.records.lock().unwrap().len() >= 201);
        assert!(net.running.stop(Duration::from_millis(200)));
        let records = net.records.lock().unwrap();
        let count = |meant: fn(&Finish) -> bool| {
            records.iter().filter(|record| meant(&record.finish)).count()
        };
        assert_eq!(count(|finish| *finish == Finish::Answered), 200);
        assert_eq!(count(|finish| matches!(finish, Finish::Malformed(_))), 1);
    }
}

#[test]
fn we_make_the_association_and_make_it_again() {
    run(async {
        let home = endpoint();
        let peer = at(home.port(), home.encapsulation_port());
        let connect = Some(Connect::Sctp { endpoint: 0, peer });
        let name = "home".into();
        let peer = PeerTransport { link: LinkId(1), name, connect, source: None, tls: None };
        let net = start(Wish { sctp: true, peers: vec![peer], ..Wish::default() });
        for _ in 0..2 {
            let mut association = timeout(WAIT, home.accept()).await.expect("in time").unwrap();
            assert_eq!(receive(&mut association).await[4], b'H');
            send(&mut association, &frame(b'H', 1, 0, 0, &[]));
            wait_until("up", || net.is_up(1));
            drop(association);
            wait_until("down", || !net.is_up(1));
        }
        let stopped = tokio::task::spawn_blocking(|| net.running.stop(Duration::ZERO));
        assert!(timeout(WAIT, stopped).await.expect("in time").unwrap());
    });
}

#[test]
fn strangers_are_turned_away() {
    let net = start(Wish { sctp: true, ..Wish::default() });
    run(async {
        let there = &net.running.endpoints()[0];
        let own = endpoint();
        let mut stranger =
            own.connect(&at(there.port(), there.encapsulation_port())).await.expect("connected");
        send(&mut stranger, &frame(b'H', 99, 0, 0, &[]));
        let end = async {
            while !matches!(poll_fn(|cx| stranger.poll_event(cx)).await, Event::Down { .. }) {}
        };
        timeout(WAIT, end).await.expect("it is ended");
    });
    wait_until("counted", || net.running.counters().count("stranger") == 1);
    assert!(net.running.stop(Duration::ZERO));
}
