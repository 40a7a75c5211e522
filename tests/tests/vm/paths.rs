//! Multi-homed associations of the kernel's that lose paths, and peers that start anew.

use std::future::poll_fn;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use sctp::{Event, Settings};
use tests::vm;

use crate::traffic::{Flow, associated, endpoint, ips, next, poll_both, run, system};

const LIMIT: Duration = Duration::from_secs(150);

/// Paths that are found lost within a second or two.
pub(crate) fn quick() -> Settings {
    Settings {
        heartbeat_ms: 300,
        rto_initial_ms: 200,
        rto_min_ms: 100,
        rto_max_ms: 400,
        path_retransmissions_max: 2,
        association_retransmissions_max: 20,
        ..Settings::default()
    }
}

#[test]
fn a_path_is_lost_and_traffic_goes_on() {
    if !vm::entered("paths::a_path_is_lost_and_traffic_goes_on", LIMIT) {
        return;
    }
    let (ours, theirs) = (["10.1.0.1", "10.2.0.1"], ["10.1.0.2", "10.2.0.2"]);
    two_paths(ours, theirs);
    run(async {
        let server = endpoint(&theirs, 2905, &quick());
        let client = endpoint(&ours, 2905, &quick());
        let (mut a, mut b) = associated(&client, &server, &theirs[..1]).await.unwrap();
        assert_eq!(a.peer_addresses(), ips(&theirs));
        let (mut there, mut back) = (Flow::new(1_000, 3), Flow::new(1_000, 3));
        poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;

        // The primary path goes silent, both ways.
        system("iptables -A INPUT -p sctp -d 10.1.0.2 -j DROP");
        system("iptables -A INPUT -p sctp -d 10.1.0.1 -j DROP");
        (there.count, back.count) = (3_000, 3_000);
        poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
        let lost = Event::Path { address: ips(&theirs)[0], reachable: false };
        while !back.others.contains(&lost) {
            back.take(next(&mut a).await);
        }

        system("iptables -F INPUT");
        let found = Event::Path { address: ips(&theirs)[0], reachable: true };
        let mut alive = poll_fn(|cx| {
            // The server's side has events of its own to take.
            while b.poll_event(cx).is_ready() {}
            while let Poll::Ready(event) = a.poll_event(cx) {
                back.take(event);
            }
            if back.others.contains(&found) { Poll::Ready(()) } else { Poll::Pending }
        });
        (&mut alive).await;
        (there.count, back.count) = (4_000, 4_000);
        poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
        let failed = [&there.others[..], &back.others].concat();
        assert!(!failed.contains(&Event::SendFailed), "{failed:?}");
    });
    assert_eq!(crossed(), 0, "the paths share nothing");
}

/// Two addresses of each side, and between them two paths that share none. Left alone, the kernel
/// would leave for an address of its own from that address, which is none of the sender's; SCTP then
/// takes the sender's first one, and every packet to the second path would come from the first.
fn two_paths(ours: [&str; 2], theirs: [&str; 2]) {
    for (our, their) in ours.into_iter().zip(theirs) {
        for address in [our, their] {
            system(&format!("ip address add {address}/32 dev lo"));
        }
        for (to, from) in [(our, their), (their, our)] {
            system(&format!("ip route replace local {to} dev lo table local src {from}"));
        }
    }
    for (from, to) in [("10.1.0.0/24", "10.2.0.0/24"), ("10.2.0.0/24", "10.1.0.0/24")] {
        system(&format!("iptables -A OUTPUT -p sctp -s {from} -d {to} -j DROP"));
    }
}

/// Packets that would have gone from one path to the other.
fn crossed() -> u64 {
    let rules = Command::new("iptables").args(["-nvxL", "OUTPUT"]).output().unwrap();
    let rules = String::from_utf8(rules.stdout).unwrap();
    let drops = rules.lines().filter(|line| line.contains(" DROP "));
    let counts: Vec<u64> =
        drops.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert_eq!(counts.len(), 2, "{rules}");
    counts.iter().sum()
}

#[test]
fn a_peer_that_starts_anew_is_noticed_and_one_that_is_gone_too() {
    if !vm::entered("paths::a_peer_that_starts_anew_is_noticed_and_one_that_is_gone_too", LIMIT) {
        return;
    }
    run(async {
        // No heartbeat may tell the dead one's kernel that somebody still believes in it.
        let settings = Settings { association_retransmissions_max: 4, heartbeat_ms: 0, ..quick() };
        let server = endpoint(&["127.0.0.2"], 2905, &settings);
        let client = endpoint(&["127.0.0.1"], 2905, &settings);
        let (mut a, mut b) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
        a.try_send(0, 3, b"before").unwrap();
        assert!(matches!(next_after(&mut a, &mut b).await, Event::Data(_)));
        // It dies, and nobody hears of that.
        system("iptables -A INPUT -p sctp -j DROP");
        a.abort();
        system("iptables -F INPUT");
        let peer = crate::traffic::peer(&["127.0.0.2"], 2905);
        let (again, event) = tokio::join!(client.connect(&peer), next(&mut b));
        assert_eq!(event, Event::Restart);
        let mut again = again.unwrap();
        again.try_send(0, 46, b"after").unwrap();
        let Event::Data(message) = next_after(&mut again, &mut b).await else { panic!("data") };
        assert_eq!((message.ppid, &message.octets[..]), (46, &b"after"[..]));

        system("iptables -A INPUT -p sctp -j DROP");
        b.try_send(0, 46, b"in vain").unwrap();
        let mut end = next(&mut b).await;
        while matches!(end, Event::Path { .. } | Event::SendFailed) {
            end = next(&mut b).await;
        }
        assert_eq!(end, Event::Down { why: "the peer does not answer" });
    });
}

/// The next event of `b`, after what `a` holds has left.
async fn next_after(a: &mut sctp::Association, b: &mut sctp::Association) -> Event {
    a.flush();
    next(b).await
}
