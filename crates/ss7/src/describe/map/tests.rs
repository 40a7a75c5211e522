use super::*;
use crate::describe::{attempt, outcome};
use crate::view::tcap::Transaction;
use crate::view::tcap::tests::{SAI, UL, UL_OK, UL_RNA, hex};
use procedure::Code;

const IMSI: &str = "214070000000001";
const TBCD: &str = "12040700000000f1";

fn invoke(operation: u8, argument: &str) -> Vec<u8> {
    let argument = hex(argument);
    let inside = u8::try_from(argument.len() + 6).expect("short");
    let mut octets = vec![0x62, inside + 7, 0x48, 1, 1, 0x6c, inside + 2, 0xa1, inside];
    octets.extend([2, 1, 1, 2, 1, operation]);
    octets.extend(argument);
    octets
}

fn read(
    operation: u8,
    argument: &str,
) -> (Act, Domain, Option<String>, Option<String>, Option<String>) {
    let octets = invoke(operation, argument);
    let begin = Transaction::new(&octets, 0).expect("a Begin");
    let map = attempt(&begin).expect("an invoke");
    let clear = |digits: Option<Digits>| digits.map(Digits::in_clear);
    (map.act, map.domain, map.imsi.map(Imsi::in_clear), clear(map.msisdn), clear(map.serving))
}

#[test]
fn the_agreed_messages() {
    let octets = hex(UL);
    let map = attempt(&Transaction::new(&octets, 0).expect("a Begin")).expect("an invoke");
    assert_eq!((map.act, map.domain, map.version), (Act::Register, Domain::Cs, Some(3)));
    assert_eq!(map.imsi.expect("one").in_clear(), IMSI);
    assert_eq!(map.serving.expect("one").in_clear(), "447700900123");
    let octets = hex(SAI);
    let map = attempt(&Transaction::new(&octets, 0).expect("a Begin")).expect("an invoke");
    assert_eq!((map.act, map.domain), (Act::Authenticate, Domain::Cs));
    assert_eq!(map.imsi.expect("one").in_clear(), IMSI);
    let said = |text| {
        let octets = hex(text);
        let end = Transaction::new(&octets, 0).expect("an End");
        assert!(attempt(&end).is_none());
        outcome(&end)
    };
    assert_eq!(said(UL_OK), (Code::None, true));
    assert_eq!(said(UL_RNA), (Code::Error(8), false));
    assert_eq!(said("670949040000000a4a0103"), (Code::Abort(3), false));
    assert_eq!(said("640d49010a6c08a406020101810102"), (Code::Reject(0x102), false));
}

#[test]
fn each_operation_in_each_version() {
    let number = "9144770009"; // 44770090
    let some = |text: &str| Some(text.to_owned());
    let who = some(IMSI);
    let node = some("44770090");
    let bare = format!("0408{TBCD}");
    let cases = [
        // updateLocation: 1 and 2 with a roaming number's tag, 3 with an MSC number.
        (
            2,
            format!("30180408{TBCD}8105{number}0405{number}"),
            (Act::Register, Domain::Cs, who.clone(), None, node.clone()),
        ),
        (
            2,
            format!("30110408{TBCD}8105{number}"),
            (Act::Register, Domain::Cs, who.clone(), None, node.clone()),
        ),
        (
            23,
            format!("30180408{TBCD}0405{number}0405{number}"),
            (Act::Register, Domain::Ps, who.clone(), None, node.clone()),
        ),
        (56, bare.clone(), (Act::Authenticate, Domain::Unknown, who.clone(), None, None)),
        (
            56,
            format!("30108008{TBCD}020105830101"),
            (Act::Authenticate, Domain::Ps, who.clone(), None, None),
        ),
        (3, bare.clone(), (Act::Deregister, Domain::Unknown, who.clone(), None, None)),
        (
            3,
            format!("30100408{TBCD}040411223344"),
            (Act::Deregister, Domain::Unknown, who.clone(), None, None),
        ),
        (3, format!("a30a0408{TBCD}"), (Act::Deregister, Domain::Unknown, who.clone(), None, None)),
        (
            3,
            format!("a31230100408{TBCD}040411223344"),
            (Act::Deregister, Domain::Unknown, who.clone(), None, None),
        ),
        (
            67,
            format!("30110408{TBCD}0405{number}"),
            (Act::Purge, Domain::Cs, who.clone(), None, node.clone()),
        ),
        (
            67,
            format!("a3110408{TBCD}8105{number}"),
            (Act::Purge, Domain::Ps, who.clone(), None, node.clone()),
        ),
        (
            7,
            format!("30118008{TBCD}8105{number}"),
            (Act::Provision, Domain::Unknown, who.clone(), node.clone(), None),
        ),
        (8, format!("300a8008{TBCD}"), (Act::Provision, Domain::Unknown, who.clone(), None, None)),
        (57, format!("300a0408{TBCD}"), (Act::Recover, Domain::Cs, who.clone(), None, None)),
        (37, format!("30070405{number}"), (Act::Recover, Domain::Unknown, None, None, None)),
        (
            45,
            format!("30118005{number}8101ff8205{number}"),
            (Act::LocateForSms, Domain::Unknown, None, node.clone(), None),
        ),
        (
            44,
            format!("30148008{TBCD}8405{number}040112"),
            (Act::DeliverSms, Domain::Unknown, who.clone(), None, None),
        ),
        (
            46,
            format!("301b8405{number}8205{number}0401120408{TBCD}"),
            (Act::DeliverSms, Domain::Unknown, who.clone(), node.clone(), None),
        ),
        (71, format!("300ca00a8008{TBCD}"), (Act::Query, Domain::Unknown, who.clone(), None, None)),
        (
            71,
            format!("3009a0078105{number}"),
            (Act::Query, Domain::Unknown, None, node.clone(), None),
        ),
        (70, format!("300a8008{TBCD}"), (Act::Query, Domain::Unknown, who.clone(), None, None)),
        (
            22,
            format!("30078005{number}"),
            (Act::LocateForCall, Domain::Cs, None, node.clone(), None),
        ),
        (
            4,
            format!("30118008{TBCD}8105{number}"),
            (Act::LocateForCall, Domain::Cs, who, None, None),
        ),
        (59, "300704010f04021234".into(), (Act::Supplementary, Domain::Cs, None, None, None)),
        (99, "0500".into(), (Act::Transit, Domain::Unknown, None, None, None)),
    ];
    for (operation, argument, expected) in cases {
        assert_eq!(read(operation, &argument), expected, "operation {operation}: {argument}");
    }
}

#[test]
fn nothing_hides_behind_a_harmless_first_component() {
    let harmless = hex("a106020101020126");
    let register = &hex(UL)[38..];
    let register = &register[..38];
    let mut octets = vec![0x62, 0, 0x48, 1, 1, 0x6c, 0];
    octets.extend_from_slice(&harmless);
    octets.extend_from_slice(register);
    octets[6] = u8::try_from(harmless.len() + register.len()).expect("short");
    octets[1] = octets[6] + 5;
    let begin = Transaction::new(&octets, 0).expect("a Begin");
    let map = attempt(&begin).expect("an invoke");
    assert_eq!((map.act, map.operation), (Act::Register, Some(2)));
}

#[test]
fn digits_that_are_none() {
    assert_eq!(imsi(&hex("12040700000000f1")).expect("one").in_clear(), IMSI);
    assert_eq!(imsi(&hex("1204070000a000f1")), None, "no digit");
    assert_eq!(imsi(&[0x21]), None, "too short");
    assert_eq!(imsi(&[0x21; 9]), None, "too long");
    assert_eq!(number(&hex("91446677f8")).expect("one").in_clear(), "4466778");
    assert_eq!((number(&[0x91]), number(&[]), number(&[0x91, 0xaa])), (None, None, None));
}
