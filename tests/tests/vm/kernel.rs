//! Associations of the kernel's with the kernel's.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, MESSAGE_OCTETS_MAX, Refused, Settings};
use tests::vm;

use crate::traffic::{Flow, associated, endpoint, ips, next, peer, poll_both, run, system};

const LIMIT: Duration = Duration::from_secs(150);
/// M3UA and Diameter. //= RFC 4666 §1.4.8 //= RFC 6733 §2.1.1
const PPIDS: [u32; 2] = [3, 46];

#[test]
fn twenty_thousand_messages_arrive_in_order_both_ways() {
    if !vm::entered("kernel::twenty_thousand_messages_arrive_in_order_both_ways", LIMIT) {
        return;
    }
    run(async {
        let server = endpoint(&["127.0.0.2"], 3868, &Settings::default());
        let client = endpoint(&["127.0.0.1"], 0, &Settings::default());
        for ppid in PPIDS {
            let (mut a, mut b) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
            assert_eq!((a.streams_out(), b.streams_out()), (16, 16));
            assert_eq!((b.peer_addresses(), b.peer_port()), (ips(&["127.0.0.1"]), client.port()));
            let (mut there, mut back) = (Flow::new(20_000, ppid), Flow::new(20_000, ppid));
            poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
            assert_eq!((there.received, back.received), (20_000, 20_000));
            // Only that there was room again.
            let others = there.others.iter().chain(&back.others);
            assert!(others.clone().all(|event| *event == Event::Writable), "{others:?}");
            a.shutdown();
            assert!(matches!(next(&mut b).await, Event::Down { .. }));
            assert!(matches!(next(&mut a).await, Event::Down { .. }));
        }
    });
}

#[test]
fn ipv6_and_both_families_at_once() {
    if !vm::entered("kernel::ipv6_and_both_families_at_once", LIMIT) {
        return;
    }
    for address in ["fd00::1/128", "fd00::2/128", "203.0.113.1/32", "203.0.113.2/32"] {
        system(&format!("ip address add {address} dev lo"));
    }
    let v6 = (&["fd00::1"][..], &["fd00::2"][..]);
    let both = (&["203.0.113.1", "fd00::1"][..], &["fd00::2", "203.0.113.2"][..]);
    run(async {
        for (port, (from, to)) in [(2905, v6), (2906, both)] {
            let server = endpoint(to, port, &Settings::default());
            let client = endpoint(from, port, &Settings::default());
            let (mut a, mut b) = associated(&client, &server, to).await.unwrap();
            let sorted = |mut list: Vec<_>| {
                list.sort();
                list
            };
            assert_eq!(sorted(a.peer_addresses()), sorted(ips(to)));
            assert_eq!(sorted(b.peer_addresses()), sorted(ips(from)));
            assert_eq!((a.peer_port(), b.peer_port()), (port, port));
            let (mut there, mut back) = (Flow::new(100, 3), Flow::new(100, 3));
            poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
        }
    });
}

#[test]
fn what_was_taken_arrives_before_a_shutdown_and_an_abort_ends_at_once() {
    let test = "kernel::what_was_taken_arrives_before_a_shutdown_and_an_abort_ends_at_once";
    if !vm::entered(test, LIMIT) {
        return;
    }
    run(async {
        let server = endpoint(&["127.0.0.2"], 2905, &Settings::default());
        let client = endpoint(&["127.0.0.1"], 2905, &Settings::default());
        let (mut a, mut b) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
        let mut flow = Flow::new(100, 3);
        flow.send(&mut a);
        assert_eq!(flow.sent, 100);
        a.shutdown();
        assert_eq!(a.try_send(0, 3, b"late"), Err(Refused::Closed));
        while flow.received < 100 {
            flow.take(next(&mut b).await);
        }
        assert_eq!(next(&mut b).await, Event::Down { why: "it was shut down" });
        assert_eq!(next(&mut a).await, Event::Down { why: "it was shut down" });
        assert_eq!(next(&mut a).await, Event::Down { why: "it was shut down" }, "again");
        assert_eq!(b.try_send(0, 3, b"late"), Err(Refused::Closed));

        let (mut a, mut b) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
        let long = vec![0; MESSAGE_OCTETS_MAX + 1];
        assert_eq!(a.try_send(0, 3, &long), Err(Refused::TooLong));
        a.try_send(0, 3, &long[1..]).expect("the longest message");
        a.try_send(a.streams_out(), 3, b"on no stream").expect("taken, as far as we know");
        a.try_send(0, 3, b"the last").expect("taken");
        assert_eq!(next(&mut a).await, Event::SendFailed);
        let Event::Data(longest) = next(&mut b).await else { panic!("a message") };
        assert!(longest.octets == long[1..]);
        let Event::Data(last) = next(&mut b).await else { panic!("a message") };
        assert_eq!(last.octets, b"the last");
        a.abort();
        assert_eq!(next(&mut a).await, Event::Down { why: "we aborted it" });
        assert_eq!(next(&mut b).await, Event::Down { why: "the peer aborted it" });
    });
}

#[test]
fn who_may_not_come_in_is_refused_and_so_are_we() {
    if !vm::entered("kernel::who_may_not_come_in_is_refused_and_so_are_we", LIMIT) {
        return;
    }
    run(async {
        let settings = Settings::default();
        let client = endpoint(&["127.0.0.1"], 0, &settings);
        let refused = client.connect(&peer(&["127.0.0.2"], 2905)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

        let taken = Endpoint::bind(
            Backend::Kernel,
            &ips(&["192.0.2.1"]),
            0,
            &settings,
            Arc::new(|_: &[_]| true),
        );
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrNotAvailable);

        let wanted = ips(&["127.0.0.3"]);
        let admits = Arc::new(move |from: &[_]| from == wanted);
        let server =
            Endpoint::bind(Backend::Kernel, &ips(&["127.0.0.2"]), 2905, &settings, admits).unwrap();
        let stranger = async {
            // The kernel answers before we can; then it ends.
            match client.connect(&peer(&["127.0.0.2"], 2905)).await {
                Ok(mut association) => assert_eq!(
                    next(&mut association).await,
                    Event::Down { why: "the peer aborted it" }
                ),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
            }
            endpoint(&["127.0.0.3"], 0, &settings).connect(&peer(&["127.0.0.2"], 2905)).await
        };
        let (accepted, connected) = tokio::join!(server.accept(), stranger);
        assert_eq!(accepted.unwrap().peer_addresses(), ips(&["127.0.0.3"]));
        connected.unwrap();

        system("iptables -A INPUT -p sctp --dport 2907 -j DROP");
        let nobody = client.connect(&peer(&["127.0.0.2"], 2907)).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn an_association_moves_to_another_threads_event_loop() {
    if !vm::entered("kernel::an_association_moves_to_another_threads_event_loop", LIMIT) {
        return;
    }
    let (mut a, mut b) = run(async {
        let server = endpoint(&["127.0.0.2"], 2905, &Settings::default());
        let client = endpoint(&["127.0.0.1"], 2905, &Settings::default());
        let (mut a, mut b) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
        a.try_send(1, 3, b"before").unwrap();
        a.flush();
        a.park().unwrap();
        b.park().unwrap();
        (a, b)
    });
    let moved = std::thread::spawn(move || {
        run(async {
            a.unpark().unwrap();
            b.unpark().unwrap();
            a.try_send(1, 3, b"after").unwrap();
            a.flush();
            for expected in [&b"before"[..], b"after"] {
                let Event::Data(message) = next(&mut b).await else { panic!("a message") };
                assert_eq!(message.octets, expected);
            }
            let (mut there, mut back) = (Flow::new(1_000, 3), Flow::new(1_000, 46));
            poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
        });
    });
    moved.join().unwrap();
}

#[test]
fn one_that_stops_reading_holds_nobody_else_up() {
    if !vm::entered("kernel::one_that_stops_reading_holds_nobody_else_up", LIMIT) {
        return;
    }
    run(async {
        let settings = Settings { receive_octets_max: 100_000, ..Settings::default() };
        let server = endpoint(&["127.0.0.2"], 2905, &settings);
        let client = endpoint(&["127.0.0.1"], 0, &settings);
        let (mut a, mut deaf) = associated(&client, &server, &["127.0.0.2"]).await.unwrap();
        let mut flow = Flow::new(1_000_000, 3);
        // Until it has been full for a second: then nothing but the peer's reading makes room.
        loop {
            flow.send(&mut a);
            let room = poll_fn(|cx| poll_no_data(&mut a, cx));
            if tokio::time::timeout(Duration::from_secs(1), room).await.is_err() {
                break;
            }
        }
        assert!(flow.sent < 20_000, "{} messages were taken", flow.sent);
        assert_eq!(a.try_send(0, 3, b"more"), Err(Refused::Full));

        // Another port: this one's associations with that peer are the one above.
        let other = endpoint(&["127.0.0.1"], 0, &settings);
        let (mut c, mut d) = associated(&other, &server, &["127.0.0.2"]).await.unwrap();
        let (mut there, mut back) = (Flow::new(1_000, 3), Flow::new(1_000, 3));
        poll_fn(|cx| poll_both((&mut c, &mut d), &mut there, &mut back, cx)).await;

        flow.count = flow.sent + 1_000;
        let mut nothing = Flow::new(0, 3);
        poll_fn(|cx| poll_both((&mut a, &mut deaf), &mut flow, &mut nothing, cx)).await;
        assert!(nothing.others.contains(&Event::Writable), "{:?}", nothing.others);
    });
}

/// Ready when there is room.
fn poll_no_data(association: &mut Association, cx: &mut std::task::Context<'_>) -> Poll<()> {
    association.poll_event(cx).map(|event| assert_eq!(event, Event::Writable))
}
