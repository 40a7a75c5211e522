//! What one Update Location (S6a ULR, MAP UL) costs from octets to verdict: view, describe and
//! decide, with the shipped policies in force.
//!
//!     cargo bench -p tests --bench decide
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::indexing_slicing, reason = "there are 100,000 frames")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use diameter::{Config, Diameter, PeerConfig};
use procedure::{LinkId, Policy, StackId, Symbols, Time, Verdict};
use relay::{Arrival, Stack};
use sim::diameter::s6a;

const MME: &str = "mme1.epc.mnc030.mcc234.3gppnetwork.org";
const REALM: &str = "epc.mnc030.mcc234.3gppnetwork.org";

fn one_ulr(criterion: &mut Criterion) {
    let vocabulary = stacks::vocabulary();
    let loaded = config::load(None, &vocabulary).expect("what is shipped checks");
    let engine = loaded.engine(Symbols::default(), Arc::new(vocabulary), 1, 0);
    let rules = engine.expect("what is shipped compiles").rules();
    let mut own = Config::new("dra1.ipx.example", "ipx.example");
    own.peers.push(PeerConfig::new(LinkId(0), MME, REALM));
    let stack = Diameter::new(own);
    let arrival = Arrival { link: LinkId(0), time: Time::default(), stack: StackId(0) };
    let frames: Vec<Vec<u8>> = (0..100_000).map(ulr).collect();
    let first = stack.view(&frames[0]).expect("a sound frame");
    let verdict = rules.decide(Time::default(), &stack.describe(&first, &arrival)).verdict;
    assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}: the whole engine has to speak");
    let mut next = frames.iter().cycle();
    let mut now = Time::default();
    criterion.bench_function("view, describe and decide one ULR, 100,000 subscribers", |bench| {
        bench.iter(|| {
            now = now.plus_ms(1);
            let frame = next.next().expect("a cycle does not end");
            let view = stack.view(black_box(frame)).expect("a sound frame");
            let procedure = stack.describe(&view, &arrival);
            black_box(rules.decide(now, &procedure))
        });
    });
}

/// A registration on a network that the plan does not prefer: the dearest way through the rules.
fn ulr(number: u32) -> Vec<u8> {
    let request = s6a::Request {
        me: &sim::Identity::new(MME),
        session: &format!("{MME};1;{number}"),
        realm: "epc.mnc007.mcc214.3gppnetwork.org",
        host: None,
        imsi: &format!("21407{number:010}"),
        visited: [0x32, 0xf4, 0x03],
        rat: s6a::EUTRAN,
    };
    let mut frame = Vec::new();
    request.ulr(&mut frame, (number, number));
    frame
}

/// The same of MAP: a Begin with updateLocation from a VLR of the network that is not preferred.
fn one_ul(criterion: &mut Criterion) {
    let vocabulary = stacks::vocabulary();
    let loaded = config::load(None, &vocabulary).expect("what is shipped checks");
    let symbols = Symbols::default();
    let engine = loaded.engine(symbols.clone(), Arc::new(vocabulary), 1, 0);
    let rules = engine.expect("what is shipped compiles").rules();
    let (home, visited) = (symbols.intern("home"), symbols.intern("visited"));
    let stack = ss7::Ss7::new(ss7_config(home, visited), 1);
    let arrival = Arrival { link: LinkId(0), time: Time::default(), stack: StackId(1) };
    let frames: Vec<Vec<u8>> = (0..100_000).map(ul).collect();
    let first = stack.view(&frames[0]).expect("a sound frame");
    let procedure = stack.describe(&first, &arrival);
    assert_eq!(procedure.led, Some(home), "its title leads to the home");
    let verdict = rules.decide(Time::default(), &procedure).verdict;
    assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}: the whole engine has to speak");
    let mut next = frames.iter().cycle();
    let mut now = Time::default();
    criterion.bench_function("view, describe and decide one UL, 100,000 subscribers", |bench| {
        bench.iter(|| {
            now = now.plus_ms(1);
            let frame = next.next().expect("a cycle does not end");
            let view = stack.view(black_box(frame)).expect("a sound frame");
            let procedure = stack.describe(&view, &arrival);
            black_box(rules.decide(now, &procedure).verdict)
        });
    });
}

fn ss7_config(home: procedure::Symbol, visited: procedure::Symbol) -> ss7::config::Config {
    use ss7::config::{LinkConfig, Role, Server, Timers, TrafficMode};
    use ss7::translate::{Rule, Table};
    use ss7::view::m3ua::{PointCode, Variant};
    let link = |titles: &str| {
        Some(LinkConfig {
            role: Role::Sgp,
            connects: false,
            asp_identifier: None,
            addresses: Vec::new(),
            titles: vec![titles.parse().expect("digits")],
        })
    };
    let server = |name, context, code, link| Server {
        name,
        routing_context: Some(context),
        network_appearance: None,
        point_codes: vec![PointCode(code)],
        mode: TrafficMode::Loadshare,
        links: vec![LinkId(link)],
        links_min: 1,
        registers: false,
    };
    let rule = Rule::new(home, "34609".parse().expect("digits"), home);
    ss7::config::Config {
        variant: Variant::Itu,
        point_codes: vec![PointCode(1)],
        network_indicator: 0,
        links: vec![link("447953"), link("34609")],
        servers: vec![server(visited, 101, 2, 0), server(home, 102, 3, 1)],
        table: Table::new(vec![rule], &[]),
        timers: Timers::default(),
        dialogue_timeout_ms: 30_000,
        abort_expired: false,
        refuse_connections: false,
    }
}

/// M3UA, SCCP, TCAP and MAP by hand: version 3, with its dialogue portion.
fn ul(number: u32) -> Vec<u8> {
    let bcd = |digits: &str, odd: u8| -> Vec<u8> {
        let half = |digit: Option<&u8>| digit.map_or(odd, |digit| digit - b'0');
        digits.as_bytes().chunks(2).map(|two| half(two.first()) | half(two.get(1)) << 4).collect()
    };
    let part = |tag: &[u8], value: &[u8]| {
        [tag, &[u8::try_from(value.len()).expect("short")], value].concat()
    };
    let (imsi, vlr) = (format!("21407{number:010}"), "447953000001");
    let address = [&[0x91][..], &bcd(vlr, 15)].concat();
    let arguments = [part(&[4], &bcd(&imsi, 15)), part(&[0x81], &address), part(&[4], &address)];
    let invoke = [&[2, 1, 1, 2, 1, 2][..], &part(&[0x30], &arguments.concat())].concat();
    let context = part(&[0xa1], &part(&[6], &[4, 0, 0, 1, 0, 1, 3]));
    let external =
        [&part(&[6], &[0, 17, 134, 5, 1, 1, 1])[..], &part(&[0xa0], &part(&[0x60], &context))];
    let dialogue = part(&[0x6b], &part(&[0x28], &external.concat()));
    let otid = part(&[0x48], &number.to_be_bytes());
    let components = part(&[0x6c], &part(&[0xa1], &invoke));
    let tcap = part(&[0x62], &[otid, dialogue, components].concat());
    let called = [&[0x12, 6, 0, 0x71, 4][..], &bcd(&format!("34609{number:010}"), 0)].concat();
    let calling = [&[0x12, 7, 0, 0x12, 4][..], &bcd(vlr, 0)].concat();
    let pointers = [3, 3 + called.len(), 3 + called.len() + calling.len()];
    let pointers = pointers.map(|pointer| u8::try_from(pointer).expect("short"));
    let parts = [part(&[], &called), part(&[], &calling), part(&[], &tcap)].concat();
    let udt = [&[9, 0x81][..], &pointers, &parts].concat();
    let label = [0, 0, 0, 2, 0, 0, 0, 1, 3, 0, 0, 7];
    let length = u16::try_from(4 + label.len() + udt.len()).expect("short").to_be_bytes();
    let mut frame = vec![1, 0, 1, 1, 0, 0, 0, 0, 0, 6, 0, 8, 0, 0, 0, 101, 2, 16];
    frame.extend([&length[..], &label, &udt].concat());
    frame.resize(frame.len().next_multiple_of(4), 0);
    let whole = u32::try_from(frame.len()).expect("short").to_be_bytes();
    frame[4..8].copy_from_slice(&whole);
    frame
}

criterion_group!(benches, one_ulr, one_ul);
criterion_main!(benches);
