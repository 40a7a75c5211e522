//! One Update Location: its view, and what it attempts.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ss7::describe::attempt;
use ss7::view::View;
use ss7::view::m3ua::Data;
use ss7::view::sccp::Unitdata;

/// As other codecs write it.
const UL: &str = "010001010000008c00060008000000010210007c000000010000000203020005\
    098103101b0d120600710443060700000000010b12070012044477000910324c\
    624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a1240201010201\
    02301c040812040700000000f1810791447700091042040791447700091032";

fn update_location(c: &mut Criterion) {
    let digits: Vec<u8> =
        UL.bytes().filter_map(|it| (it as char).to_digit(16)).map(|it| it as u8).collect();
    let frame: Vec<u8> =
        digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect();
    let data = Data::new(&frame).expect("M3UA");
    Unitdata::new(data.user, false).expect("SCCP");
    c.bench_function("M3UA and SCCP of an Update Location", |b| {
        b.iter(|| {
            let data = Data::new(black_box(&frame)).ok()?;
            Unitdata::new(data.user, false).ok().map(|unit| unit.called.title.map(|it| it.digits()))
        });
    });
    c.bench_function("view and describe an Update Location", |b| {
        b.iter(|| {
            let view = View::new(black_box(&frame), false).ok()?;
            view.tcap.as_ref().and_then(attempt).map(|map| (map.act, map.imsi, map.serving))
        });
    });
}

criterion_group!(benches, update_location);
criterion_main!(benches);
