//! Two gateways that connect to each other at the same time.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use tests::children::eventually;
use tests::daemon::Daemon;
use tests::world::{Neighbour, PREFERRED, gateway_toml, write_policies};

use crate::{HSS, Home, MME, UP_WITHIN, answers, ask};

const OUTER: &str = "gateway.ipx.lab";
/// Comes after the other name, so it wins the election and keeps the connection that it was called
/// on.
const INNER: &str = "inner.ipx.lab";

/// Two wires that carry nothing before both are there: the two calls cross for certain.
struct Crossing {
    addresses: [SocketAddr; 2],
    ends: mpsc::Sender<[SocketAddr; 2]>,
}

impl Crossing {
    fn new() -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [0, 1].map(|n: usize| listeners[n].local_addr().unwrap());
        let (ends, told) = mpsc::channel::<[SocketAddr; 2]>();
        std::thread::spawn(move || {
            let calls = listeners.map(|listener| listener.accept().unwrap().0);
            let ends = told.recv().unwrap();
            for (call, end) in calls.into_iter().zip(ends) {
                let onward = TcpStream::connect(end).unwrap();
                for (from, to) in [(&call, &onward), (&onward, &call)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || carry(from, to));
                }
            }
        });
        Self { addresses, ends }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut room = [0; 4096];
    while let Ok(octets @ 1..) = from.read(&mut room) {
        if to.write_all(&room[..octets]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A gateway with one neighbour of its own and the other gateway, which it calls at `to`.
fn gateway(name: &str, own: &str, other: &str, to: SocketAddr) -> Daemon {
    let folder = tests::scratch(&format!("operator-collision-{name}"));
    write_policies(&folder.join("policies"), &[if own == HSS { HSS } else { other }]);
    // One call, and no other while this test looks.
    let more = format!(
        "[[peer]]\nname = \"{other}\"\norigin_host = \"{other}\"\nconnect = \"{to}\"\n\
         realms = [\"*\"]\n[diameter]\nconnect_backoff_ms = 30000\n"
    );
    let neighbours = [Neighbour { host: own, connect: None }];
    let text = gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, &more);
    Daemon::start(&folder, &text.replacen(OUTER, name, 1))
}

/// State and counters of the link to the other gateway.
fn link(daemon: &Daemon) -> (String, u64, u64) {
    let peer = daemon.peers()["peers"][1].clone();
    let count = |name: &str| peer["counters"][name].as_u64().unwrap_or_default();
    (peer["state"].as_str().unwrap().to_owned(), count("connections"), count("ups"))
}

#[test]
fn of_two_connections_that_cross_one_stays_and_carries_traffic() {
    let crossing = Crossing::new();
    let [to_inner, to_outer] = crossing.addresses;
    let outer = gateway(OUTER, MME, INNER, to_inner);
    let inner = gateway(INNER, HSS, OUTER, to_outer);
    crossing.ends.send([inner.listen(), outer.listen()]).unwrap();
    outer.wait_up(&[INNER], UP_WITHIN);
    inner.wait_up(&[OUTER], UP_WITHIN);
    let settled = || (link(&outer).0 == "I-Open" && link(&inner).0 == "R-Open").then_some(());
    let states = || format!("{:?} {:?}", link(&outer), link(&inner));
    assert!(eventually(Duration::from_secs(5), settled).is_some(), "{}", states());
    // The loser may have heard the outcome before the other call came in.
    assert_eq!(link(&inner).1, 2, "there was something to elect: {}", states());
    assert_eq!((link(&outer).2, link(&inner).2), (1, 1), "nobody was up twice");

    let _home = Home::connect(inner.listen());
    inner.wait_up(&[HSS], UP_WITHIN);
    assert_eq!(answers(&ask(outer.listen(), 1, 20, PREFERRED)), [("2001", 20)]);
    assert!(settled().is_some(), "and it stays so: {}", states());
}
