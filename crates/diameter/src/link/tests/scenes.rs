//! Scenes: what two peers say to each other, step by step.

use procedure::Code;

use super::*;

const OK: Code = Code::Base(2001);

//= RFC 6733 §5.6, I-Open
#[test]
fn we_connect_and_introduce_ourselves() {
    let mut stage = Stage::new(HSS);
    stage.start();
    assert_eq!((stage.state(), stage.connects), ("Wait-Conn-Ack", 1));
    let conn = stage.open_to_hss();
    assert_eq!((stage.state(), stage.up), ("I-Open", Some(conn)));
    assert_eq!(stage.received(conn, &samples::ulr()), Passage::Traffic);
}

//= RFC 6733 §5.6, R-Open
#[test]
fn a_peer_connects_and_introduces_itself() {
    let mut stage = Stage::new(MME);
    stage.start();
    assert_eq!((stage.state(), stage.connects), ("Closed", 0));
    let conn = stage.open_from_mme();
    assert_eq!((stage.state(), stage.up), ("R-Open", Some(conn)));
    stage.closed(conn);
    assert_eq!((stage.state(), stage.up), ("Closed", None));
}

//= RFC 6733 §5.3
#[test]
fn every_bad_cer_is_answered_and_closed() {
    let without = |left_out: u32| {
        let mut avps = samples::introduction("mme1.visited.lab", "visited.lab");
        avps.retain(|avp| avp.0 != left_out);
        avps
    };
    let adding = |code: u32, data: &'static [u8]| {
        let mut avps = without(0);
        avps.push((code, data));
        avps
    };
    let cases = [
        (without(code::ORIGIN_HOST), 5005),
        (without(code::ORIGIN_REALM), 5005),
        (without(code::HOST_IP_ADDRESS), 5005),
        (without(code::VENDOR_ID), 5005),
        (without(code::PRODUCT_NAME), 5005),
        (without(code::AUTH_APPLICATION_ID), 5010),
        (adding(code::ORIGIN_HOST, b"mme1.visited.lab"), 5009),
        (adding(code::INBAND_SECURITY_ID, &[0, 0, 0, 1]), 5017),
        (samples::introduction("mme2.visited.lab", "visited.lab"), 3010),
        (samples::introduction("mme1.visited.lab", "home.lab"), 3010),
    ];
    for (avps, code) in cases {
        let mut stage = Stage::new(MME);
        let conn = stage.opened(Side::Responder);
        stage.received(conn, &samples::message(REQUEST, 257, (7, 8), &avps));
        assert_eq!(stage.sent(), (conn, 257, false, Code::Base(code)));
        assert_eq!((stage.state(), stage.live.len()), ("Closed", 0), "{code}");
    }
}

#[test]
fn a_refused_introduction_is_tried_again_later_and_later() {
    let mut stage = Stage::new(HSS);
    stage.start();
    let mut waits = Vec::new();
    for _ in 0..8 {
        let conn = stage.opened(Side::Initiator);
        let label = stage.cer_label();
        stage.received(conn, &samples::cea(label, 3010, "hss1.home.lab", "home.lab"));
        assert_eq!((stage.state(), stage.live.len()), ("Closed", 0));
        assert_eq!(stage.notes.pop(), Some(("the CEA does not let us in", 3010)));
        let before = stage.now;
        assert_eq!(stage.expire(), Some(LinkTimer::Reconnect));
        waits.push(stage.now.since(before).as_millis());
    }
    assert!((500..=1000).contains(&waits[0]), "{waits:?}");
    assert!((1000..=2000).contains(&waits[1]), "{waits:?}");
    assert!((15_000..=30_000).contains(&waits[7]), "{waits:?}");
}

#[test]
fn a_cea_of_somebody_else_is_refused() {
    let mut stage = Stage::new(HSS);
    stage.start();
    for (host, realm) in [("hss2.home.lab", "home.lab"), ("hss1.home.lab", "other.lab")] {
        let conn = stage.opened(Side::Initiator);
        let label = stage.cer_label();
        stage.received(conn, &samples::cea(label, 2001, host, realm));
        assert_eq!(stage.state(), "Closed");
        stage.expire();
    }
    let conn = stage.opened(Side::Initiator);
    let label = stage.cer_label();
    stage.received(conn, &samples::cea(label ^ 1, 2001, "hss1.home.lab", "home.lab"));
    assert_eq!(stage.state(), "Closed", "an answer to another CER");
}

#[test]
fn a_connection_that_fails_or_hangs_is_tried_again() {
    let mut stage = Stage::new(HSS);
    stage.start();
    stage.failed();
    assert_eq!(stage.expire(), Some(LinkTimer::Reconnect));
    assert_eq!((stage.state(), stage.connects), ("Wait-Conn-Ack", 1));
    assert_eq!(stage.expire(), Some(LinkTimer::Handshake));
    assert_eq!(stage.state(), "Closed");
    assert_eq!(stage.expire(), Some(LinkTimer::Reconnect));
    assert_eq!(stage.connects, 1, "the first attempt still runs");
    stage.open_to_hss();
    assert_eq!(stage.state(), "I-Open");
}

/// Both sides connected. Ours is `gw.ipx.lab`, after `a…` and before `hss1…`.
fn collide(peer: &str) -> (Stage, ConnId, ConnId, u32) {
    let mut config = samples::config();
    config.peers[1].origin_host = peer.into();
    let mut stage = Stage::with(config, HSS);
    stage.start();
    let ours = stage.opened(Side::Initiator);
    let label = stage.cer_label();
    let theirs = stage.open_from(peer, "home.lab");
    (stage, ours, theirs, label)
}

//= RFC 6733 §5.6.4
#[test]
fn the_winner_of_an_election_closes_its_own_connection() {
    let (mut stage, _, theirs, _) = collide("a.home.lab");
    assert_eq!(stage.sent(), (theirs, 257, false, OK));
    assert_eq!((stage.state(), stage.up), ("R-Open", Some(theirs)));
    assert_eq!(stage.live.len(), 1);
}

//= RFC 6733 §5.6, Wait-Returns
#[test]
fn the_loser_of_an_election_waits_for_its_answer() {
    let (mut stage, ours, _, label) = collide("hss1.home.lab");
    assert_eq!(stage.state(), "Wait-Returns");
    stage.received(ours, &samples::cea(label, 2001, "hss1.home.lab", "home.lab"));
    assert_eq!((stage.state(), stage.up, stage.live.len()), ("I-Open", Some(ours), 1));

    let (mut stage, ours, theirs, _) = collide("hss1.home.lab");
    stage.closed(ours);
    assert_eq!(stage.sent(), (theirs, 257, false, OK));
    assert_eq!((stage.state(), stage.up), ("R-Open", Some(theirs)));

    let (mut stage, _, theirs, _) = collide("hss1.home.lab");
    stage.closed(theirs);
    assert_eq!(stage.state(), "Wait-I-CEA");

    let (mut stage, ..) = collide("hss1.home.lab");
    assert_eq!(stage.expire(), Some(LinkTimer::Handshake));
    assert_eq!((stage.state(), stage.live.len()), ("Closed", 0));
}

#[test]
fn no_election_before_our_own_cer() {
    let mut stage = Stage::new(HSS);
    stage.start();
    let theirs = stage.open_from("hss1.home.lab", "home.lab");
    assert_eq!(stage.sent(), (theirs, 257, false, OK));
    assert_eq!(stage.state(), "R-Open");
    stage.opened(Side::Initiator);
    assert_eq!(stage.live.len(), 1, "ours came too late");
}

/// A second CER while the first connection is open: [`Stage`], the old and the new connection.
fn return_while_open() -> (Stage, ConnId, ConnId) {
    let mut stage = Stage::new(MME);
    let old = stage.open_from_mme();
    let new = stage.open_from("mme1.visited.lab", "visited.lab");
    assert_eq!(stage.sent(), (old, 280, true, Code::None));
    assert_eq!((stage.state(), stage.up), ("R-Open", Some(old)));
    (stage, old, new)
}

#[test]
fn a_second_connection_is_rejected_while_the_first_lives() {
    let (mut stage, old, new) = return_while_open();
    stage.received(old, &dwa());
    assert_eq!(stage.sent(), (new, 257, false, Code::Base(4003)));
    assert_eq!((stage.state(), stage.live.len()), ("R-Open", 1));
    let (mut stage, old, _) = return_while_open();
    assert_eq!(stage.received(old, &samples::ulr()), Passage::Traffic);
    assert_eq!(stage.live.len(), 1, "any message shows that the first one lives");
}

#[test]
fn a_second_connection_takes_over_from_a_dead_one() {
    let (mut stage, _, new) = return_while_open();
    let before = stage.now;
    assert_eq!(stage.expire(), Some(LinkTimer::Handshake));
    assert_eq!(stage.now.since(before).as_millis(), 2000);
    assert_eq!(stage.sent(), (new, 257, false, OK));
    assert_eq!((stage.state(), stage.up, stage.live.len()), ("R-Open", Some(new), 1));
}

//= RFC 3539 §3.4.1
#[test]
fn silence_is_asked_suspected_and_given_up() {
    let mut stage = Stage::new(HSS);
    stage.start();
    let conn = stage.open_to_hss();
    stage.expire();
    assert_eq!(stage.sent(), (conn, 280, true, Code::None));
    assert_eq!(stage.state(), "I-Open");
    stage.expire();
    assert_eq!((stage.state(), stage.up), ("SUSPECT", None), "failover");
    stage.expire();
    assert_eq!((stage.state(), stage.live.len()), ("Closed", 0));

    assert_eq!(stage.expire(), Some(LinkTimer::Reconnect));
    let conn = stage.open_to_hss();
    assert_eq!((stage.state(), stage.up), ("REOPEN", None));
    assert_eq!(stage.sent(), (conn, 280, true, Code::None));
    let passage = stage.received(conn, &samples::ulr());
    assert!(
        matches!(passage, Passage::Refused { code: Code::Base(3004), octets: 1.. }),
        "{passage:?}"
    );
    assert_eq!(stage.sent(), (conn, 316, false, Code::Base(3004)));
    for _ in 0..2 {
        stage.received(conn, &dwa());
        assert_eq!(stage.state(), "REOPEN");
        stage.expire();
        assert_eq!(stage.sent(), (conn, 280, true, Code::None));
    }
    stage.received(conn, &dwa());
    assert_eq!((stage.state(), stage.up), ("I-Open", Some(conn)), "failback");
}

//= RFC 3539 §3.4.1
#[test]
fn a_suspect_that_speaks_is_trusted_again() {
    for frame in [dwa(), dwr(), samples::ulr()] {
        let mut stage = Stage::new(MME);
        let conn = stage.open_from_mme();
        stage.expire();
        stage.expire();
        assert_eq!(stage.state(), "SUSPECT");
        let passage = stage.received(conn, &frame);
        assert_eq!(passage == Passage::Traffic, frame == samples::ulr());
        assert_eq!((stage.state(), stage.up), ("R-Open", Some(conn)));
    }
}

#[test]
fn traffic_keeps_the_watchdog_quiet() {
    let mut stage = Stage::new(MME);
    let conn = stage.open_from_mme();
    for _ in 0..100 {
        stage.pass_ms(10_000);
        stage.received(conn, &samples::ulr());
        let due = stage.timers[slot(LinkTimer::Watchdog)].expect("it runs");
        if due <= stage.now {
            stage.expire();
        }
    }
    assert!(stage.sent.is_empty(), "nothing to ask while traffic flows");
}

#[test]
fn a_watchdog_is_answered() {
    let mut stage = Stage::new(MME);
    let conn = stage.open_from_mme();
    assert_eq!(stage.received(conn, &dwr()), Passage::Base);
    assert_eq!(stage.sent(), (conn, 280, false, OK));
}

#[test]
fn what_the_base_protocol_does_not_know_is_said() {
    let mut stage = Stage::new(MME);
    let conn = stage.open_from_mme();
    stage.received(conn, &samples::message(REQUEST, 999, (1, 1), &[]));
    assert_eq!(stage.sent(), (conn, 999, false, Code::Base(3001)));
    let mut broken = dwr();
    broken[27] = 99;
    stage.received(conn, &broken);
    assert_eq!(stage.sent(), (conn, 280, false, Code::Base(5014)));
    stage.received(conn, &samples::cer("mme1.visited.lab", "visited.lab"));
    assert_eq!(stage.sent(), (conn, 257, false, Code::Base(5012)));
    assert_eq!(stage.state(), "R-Open");
}

//= RFC 6733 §5.4
#[test]
fn a_peer_parts_in_order() {
    for (cause, at_least, at_most) in [(0, 500, 1000), (1, 300_000, 600_000), (2, 300_000, 600_000)]
    {
        let mut stage = Stage::new(HSS);
        stage.start();
        let conn = stage.open_to_hss();
        stage.received(conn, &dpr(cause));
        assert_eq!(stage.sent(), (conn, 282, false, OK));
        assert_eq!((stage.state(), stage.up), ("Closing", None));
        let passage = stage.received(conn, &samples::ulr());
        assert!(
            matches!(passage, Passage::Refused { code: Code::Base(3004), octets: 1.. }),
            "{passage:?}"
        );
        stage.sent.clear();
        stage.closed(conn);
        assert_eq!(stage.state(), "Closed");
        let before = stage.now;
        assert_eq!(stage.expire(), Some(LinkTimer::Reconnect));
        let wait = stage.now.since(before).as_millis();
        assert!((at_least..=at_most).contains(&wait), "{cause}: {wait}");
    }
}

//= RFC 6733 §5.4
#[test]
fn we_part_in_order_and_do_not_come_back() {
    let mut stage = Stage::new(HSS);
    stage.start();
    let conn = stage.open_to_hss();
    stage.stop();
    assert_eq!(stage.sent(), (conn, 282, true, Code::None));
    assert_eq!((stage.state(), stage.up), ("Closing", None));
    stage.received(conn, &dpa());
    assert_eq!((stage.state(), stage.live.len()), ("Closed", 0));
    assert_eq!(stage.expire(), None);
    stage.opened(Side::Responder);
    assert_eq!(stage.live.len(), 0, "nobody comes in any more");

    let mut stage = Stage::new(MME);
    stage.open_from_mme();
    stage.stop();
    assert_eq!(stage.expire(), Some(LinkTimer::Teardown));
    assert_eq!((stage.state(), stage.live.len()), ("Closed", 0), "an answer that never comes");
}

#[test]
fn a_peer_that_says_nothing_is_closed() {
    let mut stage = Stage::new(MME);
    stage.opened(Side::Responder);
    assert_eq!(stage.expire(), Some(LinkTimer::Handshake));
    assert_eq!(stage.live.len(), 0);
    let conn = stage.opened(Side::Responder);
    stage.received(conn, &samples::ulr());
    assert_eq!(stage.live.len(), 0, "traffic before its CER");
}
