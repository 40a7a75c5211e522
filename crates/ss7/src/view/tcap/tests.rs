use super::*;

/// Messages on which several independent codecs agree.
pub(crate) const UL: &str = "624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a124020101020102301c040812040700000000f1810791447700091042040791447700091032";
pub(crate) const UL_OK: &str = "64454904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c15a213020101300e02010230090407914306070000f1";
pub(crate) const UL_RNA: &str = "643d4904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c0da30b02010102010830030a0100";
pub(crate) const SAI: &str = "623e4804000010026b1a2818060700118605010101a00d600ba109060704000001000e036c1aa1180201010201383010800812040700000000f1020105830100";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

#[test]
fn an_update_location_and_its_two_ends() {
    let octets = hex(UL);
    let begin = Transaction::new(&octets, 0).expect("a Begin");
    assert_eq!((begin.kind, begin.otid, begin.dtid), (Kind::Begin, Some(&[0, 0, 16, 1][..]), None));
    let Some(Dialogue::Request(context)) = begin.dialogue else { panic!("{:?}", begin.dialogue) };
    assert_eq!(context.map(), Some((1, 3)));
    let mut components = begin.components();
    let Ok(Some(Component::Invoke { id, linked, operation, argument })) = components.next() else {
        panic!("an invoke");
    };
    assert_eq!((id, linked, operation.local()), (1, None, Some(2)));
    let argument = argument.expect("an argument");
    assert_eq!((argument.tag, argument.value.len()), (0x30, 28));
    assert_eq!(octets[argument.offset..][..28], *argument.value);
    assert_eq!(components.next(), Ok(None));

    let octets = hex(UL_OK);
    let end = Transaction::new(&octets, 0).expect("an End");
    assert_eq!((end.kind, end.otid, end.dtid), (Kind::End, None, Some(&[0, 0, 16, 1][..])));
    assert!(
        matches!(end.dialogue, Some(Dialogue::Response(context)) if context.map() == Some((1, 3)))
    );
    let Ok(Some(Component::Result { id: 1, last: true, operation, result })) =
        end.components().next()
    else {
        panic!("a result");
    };
    assert_eq!(operation.and_then(Number::local), Some(2));
    assert_eq!(result.map(|result| result.tag), Some(0x30));

    let octets = hex(UL_RNA);
    let end = Transaction::new(&octets, 0).expect("an End");
    let Ok(Some(Component::Error { id: 1, error, parameter })) = end.components().next() else {
        panic!("an error");
    };
    assert_eq!((error, parameter.map(|it| it.value)), (Number::Local(8), Some(&[10, 1, 0][..])));
}

#[test]
fn every_cut_is_an_error_and_the_first_segment_still_tells() {
    let octets = hex(UL);
    for end in 0..octets.len() {
        assert!(Transaction::new(&octets[..end], 0).is_err(), "cut at {end}");
        let part = Transaction::part(&octets[..end], 0);
        if end >= 8 {
            assert_eq!(part.expect("its transaction").otid, Some(&[0, 0, 16, 1][..]), "{end}");
        }
    }
    let part = Transaction::part(&octets[..60], 0).expect("a part");
    assert!(matches!(part.dialogue, Some(Dialogue::Request(_))));
    let Ok(Some(Component::Invoke { operation, argument: Some(argument), .. })) =
        part.components().next()
    else {
        panic!("the invoke's beginning");
    };
    assert_eq!((operation.local(), argument.value.len()), (Some(2), 60 - argument.offset));
}

#[test]
fn indefinite_lengths_and_aborts() {
    let octets = hex("62804804000000016c80a106020101020138a10602010202012500000000");
    let begin = Transaction::new(&octets, 0).expect("a Begin");
    let mut operations = Vec::new();
    let mut components = begin.components();
    while let Ok(Some(Component::Invoke { operation, .. })) = components.next() {
        operations.push(operation.local().expect("local"));
    }
    assert_eq!(operations, [56, 37]);
    let octets = hex("670949040000000a4a0103");
    let abort = Transaction::new(&octets, 0).expect("an Abort");
    assert_eq!((abort.kind, abort.p_abort), (Kind::Abort, Some(3)));
    let octets = hex("6c06a40402010081010000");
    assert!(Transaction::new(&octets, 0).is_err(), "no transaction's");
    let reject = hex("640d49010a6c08a406020101810102");
    let end = Transaction::new(&reject, 0);
    assert!(matches!(
        end.map(|end| end.components().next()),
        Ok(Ok(Some(Component::Reject { id: Some(1), kind: 1, problem: 2 })))
    ));
}

#[test]
fn a_hundred_components_are_too_many() {
    let component = hex("a106020101020138");
    let mut octets = vec![0x62, 0x82, 0, 0, 0x48, 1, 1, 0x6c, 0x82, 0, 0];
    octets.extend(component.repeat(100));
    let inside = u16::try_from(component.len() * 100).expect("short");
    octets[9..11].copy_from_slice(&inside.to_be_bytes());
    octets[2..4].copy_from_slice(&(inside + 7).to_be_bytes());
    assert_eq!(Transaction::new(&octets, 0).expect_err("too many").why, "too many");
}

proptest::proptest! {
    #[test]
    fn no_octets_panic(octets: Vec<u8>) {
        walk(&octets);
    }

    #[test]
    fn no_mutation_panics(which in 0..4_usize, place: usize, value: u8, cut: usize) {
        let mut octets = hex([UL, UL_OK, UL_RNA, SAI][which]);
        let place = place % octets.len();
        octets[place] = value;
        octets.truncate(1 + cut % octets.len());
        walk(&octets);
    }
}

fn walk(octets: &[u8]) {
    for read in [Transaction::new, Transaction::part] {
        if let Ok(transaction) = read(octets, 0) {
            let mut components = transaction.components();
            while let Ok(Some(_)) = components.next() {}
        }
    }
}
