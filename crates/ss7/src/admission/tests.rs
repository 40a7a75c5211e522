use super::*;
use crate::config::TrafficMode;
use crate::link::tests::{link, scope, server};
use crate::view::m3ua::Writer;

fn doorkeeper() -> Doorkeeper {
    let named = |id, last| LinkConfig {
        asp_identifier: Some(id),
        addresses: vec![IpAddr::from([192, 0, 2, last])],
        ..link(Role::Sgp)
    };
    let links = vec![named(1, 1), named(2, 1), named(3, 2), link(Role::Asp)];
    Doorkeeper::new(State::of(scope(links, vec![server(0, TrafficMode::Loadshare, &[0])])))
}

fn up(identifier: Option<u32>) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::ASP_UP).maybe(tag::ASP_IDENTIFIER, identifier);
    out
}

fn hello(last: u8, first: &[u8]) -> Hello {
    let source = IpAddr::from([192, 0, 2, last]);
    doorkeeper().hello(first, &Caller { source, certificate: None })
}

/// The code of the ERR that a refusal carries.
fn code(hello: &Hello) -> Option<u32> {
    let Hello::Refused { reply, .. } = hello else { panic!("{hello:?}") };
    let message = Message::new(reply).ok()?;
    assert_eq!(message.kind(), Kind::ERROR);
    message.find(tag::ERROR_CODE)?.number()
}

#[test]
fn who_comes_in() {
    assert_eq!(hello(2, &[]), Hello::Admitted(LinkId(2)), "alone at its address");
    assert_eq!(hello(1, &up(Some(2))), Hello::Admitted(LinkId(1)));
    assert_eq!(hello(1, &up(Some(2))[..15]), Hello::Incomplete);
    assert_eq!(hello(1, &[]), Hello::Incomplete);
    assert_eq!(code(&hello(1, &up(None))), Some(0x0e));
    assert_eq!(code(&hello(1, &up(Some(3)))), Some(0x0f), "it comes from elsewhere");
    assert_eq!(code(&hello(9, &up(Some(1)))), None, "silence for strangers");
    assert_eq!(code(&hello(1, &frames::error(1, &[], &[]))), None, "never an ERR for an ERR");
    assert_eq!(code(&hello(1, &[1, 0, 4, 1, 0, 0, 0, 8])), Some(0x0d));
    assert_eq!(code(&hello(1, &[2, 0, 3, 1, 0, 0, 0, 8])), Some(0x01));
}

#[test]
fn who_is_expected() {
    let expects = |last| doorkeeper().expects(IpAddr::from([192, 0, 2, last]));
    assert!(expects(1) && expects(2) && !expects(3));
    assert!(doorkeeper().expects("::ffff:192.0.2.2".parse().expect("an address")));
}

proptest::proptest! {
    #[test]
    fn no_octets_panic(first: Vec<u8>) {
        let _ = hello(1, &first);
    }
}
