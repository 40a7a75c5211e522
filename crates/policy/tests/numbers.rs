//! Networks by the numbers of their nodes, and one subscriber whose attach comes over several
//! protocols.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use desk::{Desk, Message, ULR};
use policy::{Context, Source, compile};
use procedure::{Act, Digits, Domain, LinkId, Node, Procedure, StackId, Symbols, Time};
use words::Words;

const NETWORKS: &str = r#"
[[network]]
plmn = "23410"
titles = "447802"
[[network]]
plmn = "23415"
titles = ["447785", "4478022"]
[[network]]
plmn = ["23430", "23433"]
titles = "447958"
[[network]]
plmn = "21407"
titles = "34609"
mgt = "34600"
"#;

/// The second stack's messages: a VLR's and an SGSN's.
const UL: Message = Message { stack: 1, domain: Domain::Cs, node: Some("447785016005"), ..ULR };
const UGL: Message = Message { domain: Domain::Ps, ..UL };

fn networks() -> Source {
    Source::new("policies/networks.toml", NETWORKS)
}

fn desk() -> Desk {
    let sources = [desk::sources(desk::PLANS), vec![networks()]].concat();
    Desk::with(&sources, policy::SUBSCRIBERS_MAX)
}

fn told(text: &str) -> Vec<String> {
    let symbols = Symbols::default();
    let context = Context {
        symbols: &symbols,
        vocabulary: &Words,
        peers: None,
        groups: &[],
        started_unix_s: 0,
    };
    let sources = [Source::new("p/networks.toml", text)];
    compile(&sources, &context).map_or_else(|mistakes| desk::lines(&mistakes), |_| Vec::new())
}

#[test]
fn one_attach_over_three_domains_and_two_stacks_is_one_attempt() {
    let desk = desk();
    for attempt in 1..=4 {
        let no = format!("no{attempt}");
        let orders = [[UL, UGL, ULR], [ULR, UL, UGL], [UGL, ULR, UL]];
        for message in orders.get(attempt % 3).expect("an order") {
            assert_eq!(desk.say(message), no, "{message:?}");
            desk.wait_ms(900);
        }
        desk.wait_ms(10_000);
    }
    for (message, accepted) in [(&UL, "exit:attempts"), (&ULR, "settled"), (&UGL, "settled")] {
        let decision = desk.decide(message);
        assert_eq!(desk.word(&decision), accepted, "all domains of the fifth are accepted");
        desk.home_answers(message, &decision, true);
        desk.wait_ms(500);
    }
    desk.wait_ms(60_000);
    assert_eq!(desk.say(&UL), "settled");
    assert_eq!(desk.say(&ULR), "settled");
}

#[test]
fn the_same_domain_again_or_too_late_is_the_next_attempt() {
    let desk = desk();
    assert_eq!(desk.say(&UL), "no1");
    assert_eq!(desk.say(&UL), "no2", "another exchange of the same domain");
    desk.wait_ms(3_100);
    assert_eq!(desk.say(&ULR), "no3", "outside the window");
}

#[test]
fn two_codes_of_one_operator_are_one_network_to_steering() {
    let desk = desk();
    let ulr = Message { visited: "23433", ..ULR };
    let ul = Message { node: Some("447958000001"), ..UL };
    assert_eq!(desk.say(&ulr), "no1");
    assert_eq!(desk.say(&ul), "no1", "a number does not tell 234-33 from 234-30");
    desk.wait_ms(10_000);
    assert_eq!(desk.say(&Message { visited: "23430", ..ULR }), "no2");
}

#[test]
fn the_numbers_of_two_stacks_are_not_one_anothers_repeats() {
    let desk = desk();
    let exchange = Some(77);
    assert_eq!(desk.say(&Message { exchange, ..ULR }), "no1");
    assert_eq!(desk.say(&Message { exchange, ..ULR }), "no1", "a repeat");
    desk.wait_ms(10_000);
    assert_eq!(desk.say(&Message { exchange, ..UL }), "no2", "no repeat");
}

#[test]
fn a_number_in_the_place_of_names_tells_visited_home_and_customer() {
    let sources = [desk::sources(desk::PLANS), vec![networks()]].concat();
    let symbols = Symbols::default();
    let context = Context {
        symbols: &symbols,
        vocabulary: &Words,
        peers: None,
        groups: &[],
        started_unix_s: 0,
    };
    let compiled = compile(&sources, &context).expect("right files");
    let memory = policy::Memory::new(1024, 1);
    let decide = |procedure: Procedure<'_>| {
        let decision = compiled.decide(Time::default(), &procedure, &memory);
        let text = |plmn: Option<procedure::Plmn>| plmn.map(|plmn| plmn.to_string());
        let customer = decision.customer.map(|name| symbols.name(name).to_string());
        (text(decision.visited), text(decision.home), customer)
    };
    let number = |text: &str| -> Digits { text.parse().expect("digits") };
    let base = Procedure::unknown(StackId(1), LinkId(0), Time::default());
    let some = |text: &str| Some(text.to_owned());
    let served = Procedure { act: Act::Purge, serving: Some(number("447802202505")), ..base };
    assert_eq!(decide(served), (some("23415"), None, None), "the longest prefix");
    let origin = Node { host: b"447802102505", realm: b"" };
    let called = Procedure { act: Act::LocateForSms, origin, ..base };
    let called = Procedure { subscriber: Some(number("34609123456")), ..called };
    assert_eq!(decide(called), (some("23410"), some("21407"), some("iberia")));
    let imsi = "262010000000001".parse().ok();
    let both = Procedure { imsi, ..called };
    assert_eq!(decide(both), (some("23410"), some("26201"), some("rhine")), "the IMSI comes first");
    let visited = "20801".parse().ok();
    let named = Procedure { visited, ..served };
    assert_eq!(decide(named), (some("20801"), None, None), "a named network comes first");
    let nobody = Procedure { act: Act::Purge, serving: Some(number("99")), ..base };
    assert_eq!(decide(nobody), (None, None, None));
    let title = compiled.networks().mobile_title("214070123456789".parse().expect("an IMSI"));
    assert_eq!(title.map(Digits::in_clear), some("346000123456789"));
}

#[test]
fn prefixes_and_networks_that_are_given_twice_are_told_with_both_places() {
    let text = r#"[[network]]
plmn = "23410"
titles = ["447802", "44x"]
mgt = "4477"
[[network]]
plmn = ["23415", "23410"]
titles = ["447785", "447802"]
mgt = "4477"
"#;
    let first = |line: usize| format!("(the first stands at p/networks.toml:{line})");
    let expected = [
        "p/networks.toml:3:21: error: `44x` is no value for `titles` (expected 1 to 15 digits without \
         a plus sign, as \"447802\")"
            .to_owned(),
        format!("p/networks.toml:6:18: error: network `23410` is given twice {}", first(2)),
        format!("p/networks.toml:7:21: error: prefix `447802` of `titles` is given twice {}", first(3)),
        format!("p/networks.toml:8:7: error: `mgt` `4477` is given twice {}", first(4)),
    ];
    assert_eq!(told(text), expected);
}
