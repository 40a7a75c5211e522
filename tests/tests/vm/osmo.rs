//! Debian's osmo-stp as a signalling gateway, with the configuration that rates are measured with.

use std::process::Command;
use std::time::Duration;

use sctp::{Association, Event, Settings};
use tests::children::{Running, eventually};
use tests::vm;

use crate::traffic::{endpoint, next, peer, run, system};

const LIMIT: Duration = Duration::from_secs(60);
const M3UA: u32 = 3;
const ASPUP: &[u8] = &[1, 0, 3, 1, 0, 0, 0, 8];
const ASPUP_ACK: &[u8] = &[1, 0, 3, 4, 0, 0, 0, 8];

#[test]
fn both_asps_come_up_at_osmo_stp_and_reach_each_other() {
    if !tests::has_program("osmo-stp") {
        return tests::skip("no osmo-stp");
    }
    if !vm::entered("osmo::both_asps_come_up_at_osmo_stp_and_reach_each_other", LIMIT) {
        return;
    }
    system("modprobe sctp");
    let config = tests::root().join("tests/vm/osmo-stp.cfg");
    let log = std::path::Path::new("/results/osmo-stp.log");
    let _stp = Running::start(Command::new("osmo-stp").arg("-c").arg(config), log).unwrap();
    let listens = || {
        let endpoints = std::fs::read_to_string("/proc/net/sctp/eps").unwrap();
        endpoints.contains(" 2905 ").then_some(())
    };
    eventually(Duration::from_secs(20), listens).expect("osmo-stp listens");
    run(async {
        let mut a = active("127.0.0.11", 1).await;
        let mut b = active("127.0.0.12", 2).await;
        // From A's point code to B's, by A's routing context; to arrive with B's.
        a.try_send(1, M3UA, &data(1)).unwrap();
        a.flush();
        let arrived = until(&mut b, [1, 1]).await;
        assert!(arrived.windows(8).any(|part| part == [0, 6, 0, 8, 0, 0, 0, 2]), "{arrived:02x?}");
        assert!(arrived.windows(4).any(|part| part == b"user"), "{arrived:02x?}");
    });
}

/// An ASP that is active in its routing context.
async fn active(address: &str, context: u8) -> Association {
    let endpoint = endpoint(&[address], 2905, &Settings::default());
    let mut asp = endpoint.connect(&peer(&["127.0.0.1"], 2905)).await.expect("an association");
    asp.try_send(0, M3UA, ASPUP).unwrap();
    asp.flush();
    assert_eq!(until(&mut asp, [3, 4]).await, ASPUP_ACK);
    let aspac = [1, 0, 4, 1, 0, 0, 0, 16, 0, 6, 0, 8, 0, 0, 0, context];
    asp.try_send(0, M3UA, &aspac).unwrap();
    asp.flush();
    until(&mut asp, [4, 3]).await;
    asp
}

/// The next message of this class and type.
async fn until(asp: &mut Association, kind: [u8; 2]) -> Vec<u8> {
    loop {
        let Event::Data(message) = next(asp).await else { continue };
        assert_eq!(message.ppid, M3UA);
        if message.octets[2..4] == kind {
            return message.octets;
        }
    }
}

/// DATA from point code 1 to 2 with four octets of a user part of SCCP.
fn data(context: u8) -> Vec<u8> {
    let head = [1, 0, 1, 1, 0, 0, 0, 36, 0, 6, 0, 8, 0, 0, 0, context, 2, 16, 0, 20];
    let label = [0, 0, 0, 1, 0, 0, 0, 2, 3, 2, 0, 0];
    [&head[..], &label, b"user"].concat()
}
