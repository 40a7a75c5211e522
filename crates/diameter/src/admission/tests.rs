use procedure::Code;
use relay::Stack;

use super::*;
use crate::samples;
use crate::view::{REQUEST, base, code};
use crate::{Config, Diameter};

fn caller<'a>(source: &str, certificate: Option<&'a [String]>) -> Caller<'a> {
    Caller { source: source.parse().expect("an address"), certificate }
}

/// What a refusal's answer says.
fn code_of(hello: &Hello) -> (Code, bool) {
    let Hello::Refused { reply, .. } = hello else { panic!("{hello:?}") };
    let stack = samples::diameter();
    let view = stack.view(reply).expect("our own answers are sound");
    assert_eq!((view.header.command, view.header.hop_by_hop), (base::CAPABILITIES, 7));
    (view.result, view.header.flags & crate::view::ERROR != 0)
}

fn guarded() -> Config {
    let mut config = samples::config();
    config.peers[0].addresses = vec!["10.0.0.1".parse().expect("an address")];
    config.peers[1].addresses = vec!["10.0.0.2".parse().expect("an address")];
    config.peers[1].tls = true;
    config
}

#[test]
fn a_configured_peer_comes_in_whole() {
    let door = Diameter::new(guarded()).admission();
    let cer = samples::cer("MME1.visited.lab", "visited.lab");
    let from = caller("::ffff:10.0.0.1", None);
    for end in 0..cer.len() {
        assert_eq!(door.hello(&cer[..end], &from), Hello::Incomplete, "{end}");
    }
    let more = [&cer[..], &cer[..]].concat();
    assert_eq!(door.hello(&more, &from), Hello::Admitted(samples::MME));
    assert!(door.expects("10.0.0.1".parse().expect("one")));
    assert!(!door.expects("10.0.0.3".parse().expect("one")));
}

//= RFC 6733 §5.3
#[test]
fn strangers_are_told_so() {
    let door = Diameter::new(guarded()).admission();
    let unknown = samples::cer("mme9.visited.lab", "visited.lab");
    assert_eq!(code_of(&door.hello(&unknown, &caller("10.0.0.1", None))), (Code::Base(3010), true));
    let elsewhere = samples::cer("mme1.visited.lab", "visited.lab");
    let hello = door.hello(&elsewhere, &caller("10.0.0.2", None));
    assert_eq!(code_of(&hello), (Code::Base(3010), true));
    let nameless = samples::message(REQUEST, base::CAPABILITIES, (7, 8), &[(296, b"r")]);
    let hello = door.hello(&nameless, &caller("10.0.0.1", None));
    assert_eq!(code_of(&hello), (Code::Base(5005), false));
}

//= RFC 6733 §13.1
#[test]
fn a_certificate_has_to_name_the_peer() {
    let door = Diameter::new(guarded()).admission();
    let cer = samples::cer("hss1.home.lab", "home.lab");
    assert_eq!(code_of(&door.hello(&cer, &caller("10.0.0.2", None))), (Code::Base(5017), false));
    let other = ["mme1.visited.lab".to_owned()];
    let hello = door.hello(&cer, &caller("10.0.0.2", Some(&other)));
    assert_eq!(code_of(&hello), (Code::Base(3010), true));
    let own = ["x".to_owned(), "HSS1.home.lab".to_owned()];
    let hello = door.hello(&cer, &caller("10.0.0.2", Some(&own)));
    assert_eq!(hello, Hello::Admitted(samples::HSS));
}

#[test]
fn sixty_four_names_are_too_many() {
    let avps = vec![(code::ORIGIN_HOST, &b"mme1.visited.lab"[..]); 64];
    let cer = samples::message(REQUEST, base::CAPABILITIES, (7, 8), &avps);
    let door = Diameter::new(guarded()).admission();
    let hello = door.hello(&cer, &caller("10.0.0.1", None));
    assert_eq!(code_of(&hello), (Code::Base(5009), false));
}

//= RFC 6733 §7.1.5
#[test]
fn a_cer_of_another_version_or_of_no_length_is_answered() {
    let door = Diameter::new(guarded()).admission();
    let cer = samples::cer("mme1.visited.lab", "visited.lab");
    for (at, value, code) in [(0, 2, 5011), (3, 0xff, 5015), (1, 1, 5015)] {
        let mut wrong = cer.clone();
        wrong[at] = value;
        let hello = door.hello(&wrong, &caller("10.0.0.1", None));
        assert_eq!(code_of(&hello), (Code::Base(code), false), "octet {at}");
    }
}

#[test]
fn what_is_no_cer_gets_no_word() {
    let door = Diameter::new(guarded()).admission();
    let from = caller("10.0.0.1", None);
    let silent = |first: &[u8]| match door.hello(first, &from) {
        Hello::Refused { reply, .. } => reply.is_empty(),
        _ => false,
    };
    assert!(silent(b"GET / HTTP/1.1\r\n"));
    assert!(silent(&samples::ulr()));
    assert!(silent(&[1, 0, 0x80, 0]), "longer than any CER");
}
