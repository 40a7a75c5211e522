use super::*;

fn label() -> Label {
    let (opc, dpc) = (PointCode(0x1001), PointCode(0x1002));
    Label { opc, dpc, service: SERVICE_SCCP, network: 2, priority: 0, sls: 5 }
}

fn data(user: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::DATA)
        .maybe(tag::NETWORK_APPEARANCE, Some(7))
        .number(tag::ROUTING_CONTEXT, 101)
        .data(&label(), |out| out.extend_from_slice(user));
    out
}

#[test]
fn a_message_by_hand() {
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::ASP_ACTIVE)
        .number(tag::TRAFFIC_MODE, 2)
        .numbers(tag::ROUTING_CONTEXT, &[1, 2])
        .parameter(tag::INFO_STRING, b"abcde");
    let by_hand = [
        1, 0, 4, 1, 0, 0, 0, 40, // ASPAC, 40 octets
        0, 0x0b, 0, 8, 0, 0, 0, 2, // Traffic Mode Type: loadshare
        0, 6, 0, 12, 0, 0, 0, 1, 0, 0, 0, 2, // Routing Context: 1, 2
        0, 4, 0, 9, b'a', b'b', b'c', b'd', b'e', 0, 0, 0, // INFO String, padded
    ];
    assert_eq!(out, by_hand);
    let message = Message::new(&out).expect("a message");
    assert_eq!(message.kind(), Kind::ASP_ACTIVE);
    let contexts = message.find(tag::ROUTING_CONTEXT).expect("there");
    assert_eq!(contexts.numbers().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(message.find(tag::INFO_STRING).expect("there").value, b"abcde");
    assert_eq!(message.find(tag::TRAFFIC_MODE).and_then(|mode| mode.number()), Some(2));
    assert!(message.find(tag::ASP_IDENTIFIER).is_none());
}

#[test]
fn data_is_found_where_it_lies() {
    for length in 0..9 {
        let user = &[9, 8, 7, 6, 5, 4, 3, 2][..length.min(8)];
        let frame = data(user);
        let view = Data::new(&frame).expect("data");
        assert_eq!(view.user, user);
        assert_eq!(frame[view.user_offset()..][..user.len()], *user);
        assert_eq!((view.opc, view.dpc), (PointCode(0x1001), PointCode(0x1002)));
        assert_eq!((view.service, view.network, view.sls), (3, 2, 5));
        assert_eq!(view.context.map(|context| context.1), Some(101));
        assert_eq!((view.appearance, sls(&frame)), (Some(7), Some(5)));
        assert_eq!(Label::of(&view), label());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let field = |frame: &[u8]| Data::new(frame).expect_err("wrong").field;
    let mut frame = data(b"abcd");
    assert_eq!(field(&frame[..frame.len() - 4]), "Message Length");
    frame[0] = 2;
    assert_eq!(field(&frame), "Version");
    let mut frame = data(b"abcd");
    frame[10..12].copy_from_slice(&[0, 3]);
    assert_eq!(field(&frame), "Parameter Length");
    frame[10..12].copy_from_slice(&[0xff, 3]);
    assert_eq!(field(&frame), "Parameter Length");
    let mut empty = Vec::new();
    let _ = Writer::new(&mut empty, Kind::DATA);
    assert_eq!(field(&empty), "Protocol Data");
    let mut short = Vec::new();
    let _ = Writer::new(&mut short, Kind::DATA).parameter(tag::PROTOCOL_DATA, &[0; 11]);
    assert_eq!(field(&short), "Protocol Data");
    let mut other = Vec::new();
    let _ = Writer::new(&mut other, Kind::BEAT);
    assert_eq!(field(&other), "Message Type");
    for length in [0_u32, 7, 9, 1 << 31] {
        let mut head = [1, 0, 1, 1, 0, 0, 0, 0];
        head[4..].copy_from_slice(&length.to_be_bytes());
        assert!(frame_octets(&head).is_err(), "{length}");
    }
    assert_eq!(frame_octets(&[1, 0, 1]), Ok(None));
}

#[test]
fn too_many_parameters_are_refused() {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, Kind::BEAT);
    for _ in 0..=PARAMETERS_MAX {
        writer = writer.parameter(tag::HEARTBEAT_DATA, &[]);
    }
    let _ = writer;
    assert_eq!(Message::new(&out).expect_err("too many").why, "too many");
}

#[test]
fn point_codes_as_people_write_them() {
    assert_eq!(PointCode(4177).shown(Variant::Itu).to_string(), "2-10-1");
    assert_eq!(PointCode(0x05_0a_01).shown(Variant::Ansi).to_string(), "5-10-1");
}

proptest::proptest! {
    #[test]
    fn no_octets_panic(mut frame: Vec<u8>, honest: bool) {
        if honest && frame.len() >= 8 {
            let length = u32::try_from(frame.len()).expect("short").to_be_bytes();
            frame[..4].copy_from_slice(&[1, 0, 1, 1]);
            frame[4..8].copy_from_slice(&length);
        }
        let _ = Data::new(&frame);
        let _ = sls(&frame);
        if let Ok(message) = Message::new(&frame) {
            message.parameters().for_each(|one| one.numbers().for_each(drop));
        }
    }
}
