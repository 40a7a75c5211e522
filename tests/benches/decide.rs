//! What one Update Location Request costs from octets to verdict: view, describe and decide, with
//! the shipped policies in force.
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
    let engine = loaded.engine(Symbols::default(), Arc::new(vocabulary), 1);
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

criterion_group!(benches, one_ulr);
criterion_main!(benches);
