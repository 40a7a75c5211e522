//! Global-title translation against a hundred thousand prefixes.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use procedure::{Digits, Symbol};
use ss7::translate::{Asked, Rule, Table};

const PREFIXES: usize = 100_000;

fn rule(name: u32, prefix: Digits) -> Rule {
    Rule::new(Symbol(name), prefix, Symbol(name))
}

fn translate(c: &mut Criterion) {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice
    };
    let mut digits = |count: u64| {
        (0..count).fold(Digits::EMPTY, |all, _| all.with((next() % 10) as u8).unwrap_or(all))
    };
    let prefixes: Vec<Digits> = (0..PREFIXES).map(|n| digits(4 + n as u64 % 9)).collect();
    let rules = (0..).zip(&prefixes).map(|(name, prefix)| rule(name, *prefix)).collect();
    let table = Table::new(rules, &[]);
    // Each title is a prefix and digits of its own behind it, so that it is found.
    let asked: Vec<Asked> = (0..PREFIXES)
        .map(|n| {
            let mut title = prefixes.get(n * 7_919 % PREFIXES).copied().unwrap_or(Digits::EMPTY);
            while title.len() < 15 {
                title = title.with((title.value() % 10) as u8).unwrap_or(title);
            }
            Asked {
                translation_type: Some(0),
                plan: Some(1),
                nature: Some(4),
                ssn: Some(6),
                from: None,
                digits: title,
            }
        })
        .collect();
    assert!(asked.iter().all(|asked| table.translate(asked).is_some()));
    let mut titles = asked.iter().cycle();
    c.bench_function("translate a title among 100,000 prefixes", |b| {
        b.iter(|| titles.next().map(|asked| black_box(table.translate(black_box(asked)))));
    });
}

criterion_group!(benches, translate);
criterion_main!(benches);
