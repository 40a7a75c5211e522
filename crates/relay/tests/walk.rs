//! The walk with the smallest possible stack: what happens to an exchange, whatever the protocol.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod toy;

use procedure::{Code, Finish, LinkId, Provenance, WorkerId};
use toy::{Harness, frame, label};

/// Link 0 asks; 1 and 2 are home, 1 first.
fn harness(workers: u8) -> Harness {
    let mut harness = Harness::new(workers, 3, &[(1, 1), (2, 2)]);
    for link in 0..3 {
        harness.open(link);
    }
    harness
}

#[test]
fn an_exchange_goes_there_and_back_once() {
    for workers in [1, 2, 4] {
        let mut harness = harness(workers);
        harness.receive(0, &frame(b'?', b'r', 77, 5));
        let onward = harness.sent(1);
        assert_eq!(onward.len(), 1, "{workers} workers");
        assert_eq!(onward[0][..2], *b"?r");
        let answer = frame(b'!', b'k', label(&onward[0]), 5);
        harness.receive(1, &[answer.clone(), answer].concat());
        assert_eq!(harness.sent(0), [frame(b'!', b'k', 77, 5)]);
        let finishes: Vec<_> = harness.records.iter().map(|record| record.finish).collect();
        assert_eq!(finishes, [Finish::Answered, Finish::Stray]);
        assert!(harness.records[0].success && harness.records[0].to == Some(LinkId(1)));
        assert!(harness.gateways.iter().all(relay::Gateway::is_drained));
    }
}

#[test]
fn a_partial_frame_waits() {
    let mut harness = harness(1);
    let whole = [frame(b'?', b'r', 1, 1), frame(b'?', b'r', 2, 2)].concat();
    assert_eq!(harness.receive(0, &whole[..15]), 10);
    assert_eq!(harness.receive(0, &whole[10..]), 10);
    assert_eq!(harness.sent(1).len(), 2);
}

#[test]
fn one_read_leaves_over_one_member_and_all_reads_over_all() {
    let mut harness = Harness::new(1, 4, &[(1, 1), (2, 1), (3, 1)]);
    (0..4).for_each(|link| harness.open(link));
    let read =
        |count: u32| -> Vec<u8> { (0..count).flat_map(|n| frame(b'?', b'r', n, n)).collect() };
    let mut shares = [0; 3];
    for _ in 0..300 {
        harness.receive(0, &read(20));
        let sent = [1, 2, 3].map(|link| harness.sent(link).len());
        assert!(sent.iter().all(|count| [0, 20].contains(count)), "{sent:?}");
        (0..3).for_each(|home| shares[home] += sent[home]);
    }
    assert_eq!(shares.iter().sum::<usize>(), 300 * 20);
    assert!(shares.iter().all(|share| (1_500..2_500).contains(share)), "{shares:?}");
    // However much comes at once, nobody gets all of it; nor of what a dead member leaves behind.
    harness.receive(0, &read(1_000));
    let sent = [1, 2, 3].map(|link| harness.sent(link).len());
    assert!(sent.iter().all(|count| (100..700).contains(count)), "{sent:?}");
    harness.kill(1);
    let moved = [2, 3].map(|link| harness.sent(link).len());
    assert_eq!(moved.iter().sum::<usize>(), shares[0] + sent[0]);
    assert!(moved.iter().all(|count| *count > moved.iter().sum::<usize>() / 4), "{moved:?}");
}

#[test]
fn a_dead_link_hands_over_to_the_next_with_the_repeat_mark() {
    for workers in [1, 2] {
        let mut harness = harness(workers);
        harness.receive(0, &frame(b'?', b'r', 77, 5));
        harness.kill(1);
        let onward = harness.sent(2);
        assert_eq!(onward[0][..2], *b"?T");
        harness.kill(2);
        assert_eq!(harness.sent(0), [frame(b'!', b'u', 77, 5)], "unroutable");
        let record = harness.records.last().unwrap();
        assert_eq!((record.finish, record.sends), (Finish::Refused, 2));
        assert_eq!(record.provenance, Provenance::Unroutable);
        assert!(harness.gateways.iter().all(relay::Gateway::is_drained));
    }
}

#[test]
fn silence_is_answered_before_the_asker_gives_up_and_the_late_answer_is_a_stray() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    let onward = harness.sent(1);
    harness.pass_ms(3_980);
    assert!(harness.sent(0).is_empty());
    harness.pass_ms(40);
    assert_eq!(harness.sent(0), [frame(b'!', b'u', 77, 5)]);
    assert_eq!(harness.records[0].finish, Finish::Expired);
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 5));
    assert!(harness.sent(0).is_empty());
    assert_eq!(harness.records[1].finish, Finish::Stray);
}

#[test]
fn nobody_answers_for_another() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    let onward = harness.sent(1);
    harness.receive(2, &frame(b'!', b'k', label(&onward[0]), 5));
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 6));
    harness.receive(1, &frame(b'!', b'k', u32::MAX, 5));
    assert!(harness.sent(0).is_empty(), "another link, another check, another worker's label");
    assert_eq!(harness.records.len(), 3);
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 5));
    assert_eq!(harness.sent(0).len(), 1);
}

#[test]
fn refusals_loops_impostors_and_the_unreadable_are_answered_and_recorded() {
    let mut harness = harness(1);
    for what in [b'n', b'l', b's', b'x'] {
        harness.receive(0, &frame(b'?', what, u32::from(what), 5));
    }
    let answers: Vec<u8> = harness.sent(0).iter().map(|answer| answer[1]).collect();
    assert_eq!(answers, *b"rlum", "roaming, loop, unauthorised, malformed");
    assert!(harness.sent(1).is_empty());
    let of = |index: usize| (harness.records[index].provenance, harness.records[index].code);
    assert_eq!(of(1), (Provenance::Protocol, Code::Base(u32::from(b'l'))));
    assert_eq!(of(2).0, Provenance::Screening);
    assert!(matches!(harness.records[3].finish, Finish::Malformed(_)));
}

#[test]
fn what_waits_is_sent_later_and_once() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'd', 9, 5));
    assert!(harness.sent(1).is_empty());
    harness.pass_ms(520);
    let onward = harness.sent(1);
    assert_eq!(onward.len(), 1);
    assert_eq!(onward[0][1], b'd', "not marked as a repeat");
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 5));
    assert_eq!(harness.sent(0).len(), 1);
}

#[test]
fn an_asker_that_is_gone_or_came_back_hears_nothing() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    let onward = harness.sent(1);
    harness.kill(0);
    harness.open(0);
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 5));
    assert!(harness.sent(0).is_empty());
    assert_eq!(harness.records[0].finish, Finish::Discarded);
}

#[test]
fn broken_framing_ends_the_connection_and_nothing_else() {
    let mut harness = harness(1);
    let bytes = [frame(b'?', b'r', 1, 1), b"garbage".to_vec()].concat();
    assert_eq!(harness.receive(0, &bytes), bytes.len());
    assert_eq!(harness.sent(1).len(), 1);
    assert!(harness.board.status(LinkId(0)).is_some_and(|status| !status.up));
    assert!(harness.board.status(LinkId(1)).is_some_and(|status| status.up));
}

#[test]
fn draining_refuses_what_is_new_and_finishes_what_is_open() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'r', 1, 1));
    let onward = harness.sent(1);
    let now = harness.now;
    harness.gateways[0].drain(now);
    harness.receive(0, &frame(b'?', b'r', 2, 2));
    assert_eq!(harness.sent(0), [frame(b'!', b'c', 2, 2)], "congestion");
    assert!(!harness.gateways[0].is_drained());
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 1));
    assert_eq!(harness.sent(0), [frame(b'!', b'k', 1, 1)]);
    assert!(harness.gateways[0].is_drained());
}

#[test]
fn a_peer_that_does_not_read_is_held_back_then_dropped() {
    let mut harness = harness(1);
    let mut asked = 0_u32;
    let board = std::sync::Arc::clone(&harness.board);
    let up = || board.status(LinkId(0)).is_some_and(|status| status.up);
    while up() && asked < 3_000_000 {
        asked += 1;
        harness.receive(0, &frame(b'?', b'n', asked, asked));
    }
    assert!(!up(), "dropped after {asked} unread answers");
    assert!(asked as usize * toy::OCTETS > 16 << 20);
}

/// A link comes back before the news of its end has reached the worker that sent over it.
#[test]
fn what_was_sent_over_the_new_connection_stays_when_the_news_of_the_old_one_comes() {
    let mut harness = harness(2);
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    assert_eq!(harness.sent(1).len(), 1);
    harness.held = Some(WorkerId(0));
    harness.kill(1);
    harness.open(1);
    harness.receive(0, &frame(b'?', b'r', 78, 6));
    let onward = harness.sent(1);
    assert_eq!(onward[0][..2], *b"?r");
    harness.release();
    let moved = harness.sent(2);
    assert_eq!((moved.len(), &moved[0][..2], &moved[0][6..]), (1, &b"?T"[..], &[0, 0, 0, 5][..]));
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 6));
    harness.receive(2, &frame(b'!', b'k', label(&moved[0]), 5));
    assert_eq!(harness.sent(0), [frame(b'!', b'k', 78, 6), frame(b'!', b'k', 77, 5)]);
    assert!(harness.records.iter().all(|record| record.finish == Finish::Answered));
    assert!(harness.gateways.iter().all(relay::Gateway::is_drained));
}

/// The link dies while the request lies in the post, and is up again when the post arrives.
#[test]
fn a_request_in_the_post_of_a_dead_link_goes_to_the_next_and_nowhere_else() {
    let mut harness = harness(2);
    harness.held = Some(WorkerId(1));
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    let waiting = |harness: &Harness| harness.board.status(LinkId(1)).unwrap().waiting_octets;
    assert_eq!(waiting(&harness), 10, "what lies in the post counts as waiting");
    harness.kill(1);
    harness.open(1);
    let moved = harness.sent(2);
    assert_eq!(moved[0][..2], *b"?T");
    harness.release();
    assert!(harness.sent(1).is_empty());
    assert_eq!(waiting(&harness), 0);
    harness.receive(2, &frame(b'!', b'k', label(&moved[0]), 5));
    assert_eq!(harness.sent(0), [frame(b'!', b'k', 77, 5)]);
}

#[test]
fn stopping_answers_what_is_open_before_it_parts() {
    for workers in [1, 2] {
        let mut harness = harness(workers);
        harness.receive(0, &frame(b'?', b'r', 77, 5));
        assert_eq!(harness.sent(1).len(), 1);
        let (now, conn) = (harness.now, harness.conns[0].unwrap());
        harness.gateways[0].stop(now);
        assert_eq!(harness.gateways[0].outbox(conn), frame(b'!', b'u', 77, 5));
        assert!(harness.gateways[0].is_drained());
        assert_eq!(harness.gateways[0].records().len(), 1);
        assert!(harness.sent(2).is_empty(), "nothing goes to the next link");
    }
}

/// A request that ends the doubts about its own link is answered like any other.
#[test]
fn the_request_that_brings_its_link_back_is_answered() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'?', b'p', 0, 0));
    assert!(!harness.board.status(LinkId(0)).unwrap().up);
    harness.receive(0, &frame(b'?', b'r', 77, 5));
    let onward = harness.sent(1);
    harness.receive(1, &frame(b'!', b'k', label(&onward[0]), 5));
    assert_eq!(harness.sent(0), [frame(b'!', b'k', 77, 5)]);
    assert_eq!(harness.records[0].finish, Finish::Answered);
}
