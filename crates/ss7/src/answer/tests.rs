use super::*;
use crate::answer::errors::{choose, legal};
use crate::describe::{attempt, outcome};
use crate::view::tcap::tests::{SAI, UL, UL_RNA, hex};
use procedure::Refusal;

fn answer(octets: &[u8], refusal: Refusal) -> (Vec<u8>, Code) {
    let transaction = Transaction::new(octets, 0).expect("a message");
    let asked = attempt(&transaction).expect("an invoke");
    let mut out = Vec::new();
    let code = refuse(&transaction, &asked, refusal, &mut out);
    let read = Transaction::new(&out, 0).expect("what we say can be read");
    assert_eq!(read.dtid, transaction.otid);
    assert_eq!(outcome(&read), (code, false));
    (out, code)
}

/// The UL of another version: its context's last octet, or no dialogue portion at all.
fn update(version: u8, operation: u8) -> Vec<u8> {
    let mut octets = hex(UL);
    let context = octets.windows(7).position(|it| it == [4, 0, 0, 1, 0, 1, 3]).expect("there");
    octets[context + 6] = version;
    let code = octets.windows(3).position(|it| it == [2, 1, 2]).expect("there");
    octets[code + 2] = operation;
    if version == 1 {
        octets.drain(8..36);
        octets[1] -= 28;
    }
    octets
}

#[test]
fn roaming_is_refused_as_other_codecs_would() {
    let (out, code) = answer(&hex(UL), Refusal::RoamingNotAllowed);
    assert_eq!((out, code), (hex(UL_RNA), Code::Error(8)));
}

#[test]
fn each_version_has_its_own_parameter() {
    let (out, _) = answer(&update(1, 2), Refusal::RoamingNotAllowed);
    assert_eq!(out, hex("6410490400001001 6c08a306020101020108".replace(' ', "").as_str()));
    let (out, _) = answer(&update(2, 2), Refusal::RoamingNotAllowed);
    assert!(out.ends_with(&hex("6c0ba3090201010201080a0100")), "{out:02x?}");
    let (out, _) = answer(&update(3, 23), Refusal::RoamingNotAllowed);
    assert!(out.ends_with(&hex("6c0da30b02010102010830030a0100")), "{out:02x?}");
    for (version, parameter) in [(1, "0a0100"), (2, "0a0100"), (3, "30030a0100")] {
        let (out, code) = answer(&update(version, 2), Refusal::SystemFailure);
        assert_eq!(code, Code::Error(34));
        assert!(out.ends_with(&hex(&format!("020122{parameter}"))), "{version}: {out:02x?}");
    }
}

#[test]
fn authentication_is_never_refused_for_roaming() {
    let (_, code) = answer(&hex(SAI), Refusal::RoamingNotAllowed);
    assert_eq!(code, Code::Error(34));
    let (_, code) = answer(&hex(SAI), Refusal::UnknownSubscriber);
    assert_eq!(code, Code::Error(1));
}

#[test]
fn an_operation_without_errors_is_aborted() {
    let (out, code) = answer(&update(3, 37), Refusal::Unauthorised);
    assert_eq!(code, Code::Abort(Code::USER_ABORT));
    assert_eq!(out[0], 0x67);
    let (out, _) = answer(&update(1, 37), Refusal::Unauthorised);
    assert_eq!(out, hex("6706490400001001"), "no dialogue portion, no reason");
}

#[test]
fn later_in_a_dialogue_no_context_is_accepted_again() {
    let mut octets = update(1, 2);
    octets.splice(..2, [0x65, octets[1] + 4]);
    octets.splice(8..8, [0x49, 2, 7, 8]);
    let (out, code) = answer(&octets, Refusal::RoamingNotAllowed);
    assert_eq!((code, out[8]), (Code::Error(8), 0x6c));
}

#[test]
fn no_error_that_is_not_legal() {
    let refusals = [
        Refusal::RoamingNotAllowed,
        Refusal::RatNotAllowed,
        Refusal::UnknownSubscriber,
        Refusal::Unauthorised,
        Refusal::Congestion,
        Refusal::SystemFailure,
    ];
    for operation in 0..=100 {
        for refusal in refusals {
            let chosen = choose(operation, refusal);
            assert_eq!(chosen.is_none(), legal(operation).is_empty(), "{operation}");
            assert!(chosen.is_none_or(|error| legal(operation).contains(&error)));
            if chosen == Some(8) {
                assert!(matches!(operation, 2 | 23), "roaming is refused at registration only");
            }
        }
    }
}

#[test]
fn aborts_by_the_transaction_sub_layer() {
    let mut out = Vec::new();
    assert_eq!(abort(&[0, 0, 0, 10], p_abort::INCORRECT, &mut out), Code::Abort(3));
    assert_eq!(out, hex("670949040000000a4a0103"));
}
