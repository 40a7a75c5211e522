//! What one record costs: as a line, as numbers, as both, and at a worker's end of the queue.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use journal::{Config, Key, LABELS_MAX, Metrics, Schema, Summary, spawn};
use procedure::{Imsi, Record};

#[path = "../tests/common/mod.rs"]
mod common;

const MANY: usize = 4_096;

fn records(symbols: &procedure::Symbols) -> Vec<Record> {
    let make = |i: usize| {
        let imsi = format!("2140701{i:08}").parse::<Imsi>().ok();
        let base = if i.is_multiple_of(5) {
            common::refused(symbols, 1)
        } else {
            common::answered(symbols)
        };
        Record { imsi, ..base }
    };
    (0..MANY).map(make).collect()
}

fn journal(c: &mut Criterion) {
    let (names, symbols) = common::World::shared();
    let records = records(&symbols);
    let key = Key::new([7; 32]);
    let mut group = c.benchmark_group("record");
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));

    let mut next = records.iter().cycle();
    let mut schema = Schema::new(common::EPOCH_US, key.clone(), false, names.clone());
    let mut out = Vec::with_capacity(1 << 20);
    group.bench_function("line", |b| {
        b.iter(|| {
            if out.len() > 900_000 {
                out.clear();
            }
            next.by_ref().take(1).for_each(|record| schema.write(black_box(record), &mut out));
        });
    });
    group.bench_function("pseudonym", |b| {
        let imsi: Imsi = common::IMSI.parse().expect("an IMSI");
        b.iter(|| key.pseudonym(black_box(imsi)));
    });
    let (_metrics, mut counts) = Metrics::new(LABELS_MAX, names.clone());
    group.bench_function("metrics", |b| {
        b.iter(|| next.by_ref().take(1).for_each(|record| counts.fold(black_box(record))));
    });
    let mut summary = Summary::default();
    group.bench_function("summary", |b| {
        b.iter(|| next.by_ref().take(1).for_each(|record| summary.fold(black_box(record))));
    });
    group.finish();

    let (sink, handle) = spawn(Config::new(0, key), names, |_| ()).expect("a journal");
    let mut batch = Vec::new();
    c.bench_function("submit, a batch of 64", |b| {
        b.iter_custom(|rounds| {
            (0..rounds).fold(Duration::ZERO, |sum, round| {
                batch.extend_from_slice(records.get(..64).unwrap_or_default());
                let watch = clock();
                sink.submit(&mut batch);
                let sum = sum + watch.elapsed();
                if round.is_multiple_of(64) {
                    handle.flush();
                }
                sum
            })
        });
    });
}

#[allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

criterion_group!(benches, journal);
criterion_main!(benches);
