//! Exchanges that their two ends number themselves: each message finds its own way, one record.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod toy;

use procedure::{Code, Finish, LinkId, Provenance};
use toy::{Harness, frame};

/// Link 0 asks; 1 and 2 are home, 1 first.
fn harness(workers: u8) -> Harness {
    let mut harness = Harness::new(workers, 3, &[(1, 1), (2, 2)]);
    for link in 0..3 {
        harness.open(link);
    }
    harness
}

#[test]
fn a_dialogue_passes_octet_for_octet_and_has_one_record() {
    for workers in [1, 2, 3] {
        let mut harness = harness(workers);
        let there = [frame(b'b', b'r', 0, 11), frame(b'c', b't', 22, 11)];
        let back = [frame(b'c', b't', 11, 22), frame(b'e', b'k', 11, 0)];
        for (out, home) in there.iter().zip(&back) {
            harness.receive(0, out);
            assert_eq!(harness.sent(1), std::slice::from_ref(out), "{workers} workers");
            assert!(harness.records.is_empty());
            harness.receive(1, home);
            assert_eq!(harness.sent(0), std::slice::from_ref(home));
        }
        let [record] = harness.records[..] else { panic!("{:?}", harness.records) };
        assert_eq!((record.finish, record.frames, record.success), (Finish::Answered, 4, true));
        assert_eq!((record.from, record.to), (LinkId(0), Some(LinkId(1))));
        assert_eq!((record.request_octets, record.answer_octets), (10, 30));
        assert!(harness.gateways.iter().all(relay::Gateway::is_drained));
        // Both numbers are free again.
        harness.receive(1, &back[1]);
        assert_eq!(harness.records[1].finish, Finish::Passed);
    }
}

#[test]
fn the_opener_may_end_it_by_the_number_of_the_other_end() {
    for workers in [1, 2, 3] {
        let mut harness = harness(workers);
        harness.receive(0, &frame(b'b', b'r', 0, 11));
        harness.receive(1, &frame(b'c', b't', 11, 22));
        harness.receive(0, &frame(b'e', b'k', 22, 0));
        assert_eq!(harness.sent(1).len(), 2);
        let [record] = harness.records[..] else { panic!("{:?}", harness.records) };
        assert_eq!((record.finish, record.frames), (Finish::Answered, 3));
    }
}

#[test]
fn what_was_not_seen_to_begin_still_passes() {
    let mut harness = harness(1);
    for (link, message) in [(1, frame(b'c', b't', 5, 6)), (1, frame(b'e', b'k', 5, 0))] {
        harness.receive(link, &message);
        assert_eq!(harness.sent(0), [message]);
    }
    harness.receive(0, &frame(b'a', b't', 0, 0));
    assert_eq!(harness.sent(1).len(), 1);
    assert!(harness.records.iter().all(|record| record.finish == Finish::Passed));
    let codes: Vec<_> = harness.records.iter().map(|record| record.code).collect();
    assert_eq!(codes, [Code::None, Code::Base(u32::from(b'k')), Code::None]);
}

#[test]
fn a_refusal_is_answered_to_whoever_asked_and_hides_in_no_continue() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'b', b'n', 0, 11));
    assert_eq!(harness.sent(0).len(), 1);
    harness.receive(0, &frame(b'b', b't', 0, 12));
    harness.receive(1, &frame(b'c', b't', 12, 22));
    harness.receive(0, &frame(b'c', b'n', 22, 12));
    assert_eq!(harness.sent(1).len(), 1, "only the harmless beginning went on");
    let refused = |record: &procedure::Record| record.finish == Finish::Refused;
    assert_eq!(harness.records.iter().filter(|record| refused(record)).count(), 2);
}

#[test]
fn a_repeated_beginning_goes_on_and_is_the_same_exchange() {
    for workers in [1, 2] {
        let mut harness = harness(workers);
        harness.receive(0, &frame(b'b', b'r', 0, 11));
        harness.receive(0, &frame(b'b', b'r', 0, 11));
        assert_eq!(harness.sent(1).len(), 2);
        harness.receive(1, &frame(b'e', b'k', 11, 0));
        let [record] = harness.records[..] else { panic!("{:?}", harness.records) };
        assert_eq!((record.finish, record.frames), (Finish::Answered, 3));
    }
}

#[test]
fn silence_is_recorded_and_ended_for_the_opener() {
    let mut harness = harness(2);
    harness.receive(0, &frame(b'b', b'r', 0, 11));
    harness.pass_ms(8_000);
    assert!(harness.records.is_empty());
    harness.pass_ms(2_000);
    assert_eq!(harness.sent(0), [frame(b'e', b'p', 11, 0)]);
    let [record] = harness.records[..] else { panic!("{:?}", harness.records) };
    assert_eq!((record.finish, record.code), (Finish::Expired, Code::Abort(1)));
    assert_eq!(record.provenance, Provenance::Expired);
}

#[test]
fn where_nobody_can_be_reached_the_sender_is_told_and_others_go_elsewhere() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'b', b'r', 0, 11));
    harness.kill(1);
    harness.receive(0, &frame(b'c', b't', 22, 11));
    harness.receive(0, &frame(b'b', b'r', 0, 12));
    assert_eq!(harness.sent(2).len(), 2, "new and old go over the next link");
    harness.kill(2);
    harness.receive(0, &frame(b'b', b'r', 0, 13));
    assert_eq!(harness.sent(0).len(), 1);
    let last = harness.records.last().unwrap();
    assert_eq!((last.finish, last.provenance), (Finish::Refused, Provenance::Unroutable));
    harness.receive(0, &frame(b'a', b't', 0, 0));
    let last = harness.records.last().unwrap();
    assert_eq!(last.finish, Finish::Discarded, "there is no answer to that");
    let now = harness.now;
    harness.gateways[0].stop(now);
    harness.pass_ms(0);
    assert_eq!(harness.records.iter().filter(|record| record.frames == 2).count(), 1);
    assert!(harness.gateways[0].is_drained(), "each has its record at the end");
}

#[test]
fn a_smoothed_beginning_leaves_after_its_wait() {
    let mut harness = harness(1);
    harness.receive(0, &frame(b'b', b'd', 0, 11));
    assert!(harness.sent(1).is_empty());
    harness.pass_ms(600);
    assert_eq!(harness.sent(1), [frame(b'b', b'd', 0, 11)]);
    harness.receive(1, &frame(b'e', b'k', 11, 0));
    assert_eq!(harness.records[0].finish, Finish::Answered);
}
