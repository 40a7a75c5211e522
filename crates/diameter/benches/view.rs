//! How long it takes to see and to say what a ULR of about 400 octets attempts, and to send it on.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use diameter::{Config, Diameter, PeerConfig};
use procedure::{LinkId, StackId, Time};
use relay::{Arrival, Onward, Stack};

fn avp(out: &mut Vec<u8>, code: u32, vendor: u32, data: &[u8]) {
    let head = if vendor == 0 { 8 } else { 12 };
    let [_, a, b, c] = ((head + data.len()) as u32).to_be_bytes();
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&[if vendor == 0 { 0x40 } else { 0xc0 }, a, b, c]);
    if vendor != 0 {
        out.extend_from_slice(&vendor.to_be_bytes());
    }
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// A ULR as networks send it, with names of the length that TS 23.003 gives them.
fn ulr() -> Vec<u8> {
    let mut out = vec![1, 0, 0, 0, 0xc0, 0, 1, 60, 1, 0, 0, 35, 0, 0, 0, 7, 0, 0, 0, 9];
    avp(&mut out, 263, 0, b"mme01.epc.mnc010.mcc234.3gppnetwork.org;1;42;7");
    avp(&mut out, 277, 0, &[0, 0, 0, 1]);
    avp(&mut out, 264, 0, b"mme01.epc.mnc010.mcc234.3gppnetwork.org");
    avp(&mut out, 296, 0, b"epc.mnc010.mcc234.3gppnetwork.org");
    avp(&mut out, 283, 0, b"epc.mnc007.mcc214.3gppnetwork.org");
    avp(&mut out, 1, 0, b"214070000000001");
    let mut features = Vec::new();
    avp(&mut features, 266, 0, &[0, 0, 0x28, 0xaf]);
    avp(&mut features, 629, 10_415, &[0, 0, 0, 1]);
    avp(&mut features, 630, 10_415, &[0x1c, 0, 6, 7]);
    avp(&mut out, 628, 10_415, &features);
    avp(&mut out, 1032, 10_415, &[0, 0, 3, 236]);
    avp(&mut out, 1405, 10_415, &[0, 0, 0, 0x22]);
    avp(&mut out, 1407, 10_415, &[0x32, 0xf4, 0x01]);
    avp(&mut out, 1615, 10_415, &[0, 0, 0, 1]);
    let [_, a, b, c] = (out.len() as u32).to_be_bytes();
    for (to, from) in out.iter_mut().skip(1).zip([a, b, c]) {
        *to = from;
    }
    out
}

fn benches(criterion: &mut Criterion) {
    let mut config = Config::new("dra01.ipx.lab", "ipx.lab");
    for link in 0..64 {
        let host = format!("mme{link:02}.epc.mnc010.mcc234.3gppnetwork.org");
        let realm = "epc.mnc010.mcc234.3gppnetwork.org";
        config.peers.push(PeerConfig::new(LinkId(link), host, realm));
    }
    let stack = Diameter::new(config);
    let frame = ulr();
    let arrival = Arrival { link: LinkId(1), time: Time(1), stack: StackId(0) };
    let onward = Onward::Request { label: 5, asker: LinkId(1), resent: false, hide_origin: false };
    let name = |what: &str| format!("{what}/{} octets", frame.len());
    criterion.bench_function(&name("view"), |bencher| {
        bencher.iter(|| stack.view(black_box(&frame)).is_ok());
    });
    criterion.bench_function(&name("view+describe"), |bencher| {
        bencher.iter(|| {
            let view = stack.view(black_box(&frame)).ok()?;
            Some(black_box(stack.describe(&view, &arrival)).exchange)
        });
    });
    let mut out = Vec::with_capacity(1024);
    criterion.bench_function(&name("view+describe+rewrite"), |bencher| {
        bencher.iter(|| {
            let view = stack.view(black_box(&frame)).ok()?;
            black_box(stack.describe(&view, &arrival));
            out.clear();
            stack.rewrite(&view, &onward, &mut out);
            Some(out.len())
        });
    });
}

criterion_group!(view, benches);
criterion_main!(view);
