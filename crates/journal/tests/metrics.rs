//! Metrics equal what a hand computes, stay bounded, and are all in METRICS.md.
#![allow(missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use journal::{Counts, Kind, LABELS_MAX, Metrics, Summary, exposition};
use procedure::{
    Act, Because, Code, Finish, Layer, Malformed, Outcome, Provenance, Record, Stage, Symbol,
    Symbols, Time,
};

mod common;
use common::{World, answered, exited, refused};

/// Samples by name and labels, as in the text.
fn scrape(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.encode(&mut |_| ());
    assert!(text.ends_with("# EOF\n"));
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let split = samples.filter_map(|line| line.rsplit_once(' '));
    split.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

fn replayed(record: Record, symbols: &Symbols) -> Record {
    let mut because = Because::default();
    because.push(Stage::Steer, symbols.intern("plan-gb"), Outcome::Replay);
    Record { because, repeat: true, ..record }
}

/// A list in which every metric occurs.
fn traffic(symbols: &Symbols) -> Vec<Record> {
    let good = answered(symbols);
    let why = Malformed {
        layer: Layer::Diameter,
        field: "AVP Length",
        offset: 1,
        why: "too short",
        code: 5014,
    };
    let nothing = Record { imsi: None, customer: None, visited: None, success: false, ..good };
    vec![
        good,
        Record { sends: 3, closed: Time(1_500_000 + 80_000_000), ..good },
        refused(symbols, 1),
        refused(symbols, 2),
        replayed(refused(symbols, 2), symbols),
        exited(symbols),
        replayed(exited(symbols), symbols),
        Record { act: Act::Authenticate, operation: 318, ..good },
        Record { visited: "99901".parse().ok(), preferred: None, customer: None, ..good },
        Record { code: Code::Base(77_777), provenance: Provenance::Relayed, ..nothing },
        Record { code: Code::Experimental { vendor: 1, code: 5004 }, operation: 5, ..nothing },
        Record { finish: Finish::Stray, to: None, act: Act::Transit, ..nothing },
        Record { finish: Finish::Malformed(why), to: None, act: Act::Transit, ..nothing },
    ]
}

fn fold(records: &[Record], counts: &mut Counts) {
    records.iter().for_each(|record| counts.fold(record));
}

#[test]
fn metrics_equal_the_hand_computed() {
    let (names, symbols) = World::shared();
    let (metrics, mut counts) = Metrics::new(LABELS_MAX, names);
    fold(&traffic(&symbols), &mut counts);
    let samples = scrape(&metrics);
    let s6a = "stack=\"diameter\",application=\"s6a\"";
    let expected = [
        ("ipx_exchanges_total{stack=\"diameter\",act=\"register\",domain=\"eps\",application=\"s6a\",operation=\"ulr\",finish=\"answered\",provenance=\"none\"}".to_owned(), 5.0),
        ("ipx_exchanges_total{stack=\"diameter\",act=\"register\",domain=\"eps\",application=\"s6a\",operation=\"ulr\",finish=\"refused\",provenance=\"steering\"}".to_owned(), 3.0),
        (format!("ipx_results_total{{{s6a},operation=\"ulr\",kind=\"base\",code=\"2001\"}}"), 7.0),
        (format!("ipx_results_total{{{s6a},operation=\"air\",kind=\"base\",code=\"2001\"}}"), 1.0),
        (format!("ipx_results_total{{{s6a},operation=\"ulr\",kind=\"experimental\",code=\"5004\"}}"), 3.0),
        (format!("ipx_results_total{{{s6a},operation=\"ulr\",kind=\"base\",code=\"other\"}}"), 1.0),
        (format!("ipx_results_total{{{s6a},operation=\"other\",kind=\"experimental\",code=\"other\"}}"), 1.0),
        ("ipx_latency_seconds_count{stack=\"diameter\",act=\"register\"}".to_owned(), 10.0),
        ("ipx_latency_seconds_bucket{le=\"0.0025\",stack=\"diameter\",act=\"register\"}".to_owned(), 9.0),
        ("ipx_latency_seconds_bucket{le=\"0.1\",stack=\"diameter\",act=\"register\"}".to_owned(), 10.0),
        ("ipx_steering_refusals_total{customer=\"acme\",visited=\"23410\"}".to_owned(), 2.0),
        ("ipx_steering_exits_total{customer=\"acme\",reason=\"attempts\"}".to_owned(), 1.0),
        ("ipx_registrations_total{customer=\"acme\",visited=\"23410\",preferred=\"yes\"}".to_owned(), 2.0),
        ("ipx_registrations_total{customer=\"acme\",visited=\"23410\",preferred=\"no\"}".to_owned(), 2.0),
        ("ipx_registrations_total{customer=\"none\",visited=\"other\",preferred=\"none\"}".to_owned(), 1.0),
        ("ipx_link_exchanges_total{link=\"mme \\\"one\\\"\",direction=\"from\"}".to_owned(), 13.0),
        ("ipx_link_exchanges_total{link=\"hss-2\",direction=\"to\"}".to_owned(), 8.0),
        ("ipx_malformed_total{layer=\"diameter\",field=\"AVP Length\"}".to_owned(), 1.0),
        ("ipx_octets_total{direction=\"request\"}".to_owned(), 13.0 * 400.0),
        ("ipx_octets_total{direction=\"answer\"}".to_owned(), 13.0 * 200.0),
        ("ipx_failovers_total".to_owned(), 2.0),
        ("ipx_strays_total".to_owned(), 1.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(&name), Some(&value), "{name} in {samples:#?}");
    }
}

/// A refusal where nobody roams, and one that a visited network asked for again at once.
fn beside_steering(symbols: &Symbols) -> [Record; 2] {
    let because = |outcome| {
        let mut because = Because::default();
        because.push(Stage::Steer, symbols.intern("plan-gb"), outcome);
        because
    };
    let refused = refused(symbols, 1);
    [
        Record { because: because(Outcome::Barred), provenance: Provenance::Barring, ..refused },
        Record { because: because(Outcome::Resend), ..refused },
    ]
}

#[test]
fn bars_and_networks_that_insist_are_told_apart_from_steering() {
    let (names, symbols) = World::shared();
    let (metrics, mut counts) = Metrics::new(LABELS_MAX, names);
    fold(&beside_steering(&symbols), &mut counts);
    let samples = scrape(&metrics);
    let barred = "ipx_steering_barred_total{customer=\"acme\",visited=\"23410\"}";
    assert_eq!(samples.get(barred), Some(&1.0), "{samples:#?}");
    assert_eq!(samples.get("ipx_steering_resends_total{visited=\"23410\"}"), Some(&1.0));
    assert!(!samples.keys().any(|name| name.starts_with("ipx_steering_refusals_total{")));
}

#[test]
fn label_sets_stay_bounded() {
    const MAX: usize = 100;
    const NAMES: u32 = 100_000;
    let (names, symbols) = World::shared();
    let good = answered(&symbols);
    let (metrics, mut counts) = Metrics::new(MAX, names);
    for i in 0..NAMES {
        let visited = format!("{:05}", i % 100_000).parse().ok();
        let (customer, operation, code) = (Some(Symbol(i)), i, Code::Base(i));
        fold(
            &[Record { customer, visited, operation, code, from: procedure::LinkId(i), ..good }],
            &mut counts,
        );
        fold(&[Record { application: i, operation: i, ..refused(&symbols, 1) }], &mut counts);
    }
    let samples = scrape(&metrics);
    for family in ["exchanges", "results", "registrations", "link_exchanges", "steering_refusals"] {
        let mine =
            samples.iter().filter(|(name, _)| name.starts_with(&format!("ipx_{family}_total{{")));
        let (sets, total) =
            mine.fold((0, 0.0), |(sets, total), (_, value)| (sets + 1, total + value));
        assert!(sets <= MAX + 1, "{family} has {sets} label sets");
        let expected = match family {
            "registrations" | "steering_refusals" => 1,
            "link_exchanges" => 3,
            _ => 2,
        };
        assert_eq!(total, f64::from(expected * NAMES), "{family}");
    }
}

/// Metric and label names of METRICS.md.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let words = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows = include_str!("../METRICS.md").lines().filter(|line| line.starts_with("| `ipx_"));
    let mut table = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').skip(1).map(words);
        let name = cells.next().expect("a name").remove(0);
        table.insert(name, cells.next().expect("labels").into_iter().collect());
    }
    table
}

#[test]
fn metrics_md_is_honest() {
    let (names, symbols) = World::shared();
    let (metrics, mut counts) = Metrics::new(LABELS_MAX, names);
    let registered: BTreeSet<String> =
        metrics.names().iter().map(|name| (*name).to_owned()).collect();
    let documented = documented();
    assert_eq!(registered, documented.keys().cloned().collect());
    fold(&traffic(&symbols), &mut counts);
    fold(&beside_steering(&symbols), &mut counts);
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sample in scrape(&metrics).keys() {
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let name = ["_count", "_sum", "_bucket"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let keys = labels.split("=\"").filter_map(|part| part.rsplit([',', '{', '"']).next());
        let keys = keys.filter(|key| !key.is_empty() && !key.contains('}') && *key != "le");
        shown.entry(name.to_owned()).or_default().extend(keys.map(str::to_owned));
    }
    assert_eq!(shown, documented);
}

#[test]
fn the_daemon_adds_its_own() {
    let (metrics, _) = Metrics::new(LABELS_MAX, World::shared().0);
    let text = metrics.encode(&mut |text| {
        let labels = [("link", "hss-2")];
        exposition::family(text, Kind::Gauge, "ipx_link_up", "Links", [(&labels[..], 1)]);
    });
    assert!(text.ends_with("# TYPE ipx_link_up gauge\nipx_link_up{link=\"hss-2\"} 1\n# EOF\n"));
}

#[test]
fn the_summary_equals_the_hand_computed() {
    let (names, symbols) = World::shared();
    let mut summary = Summary::default();
    traffic(&symbols).iter().for_each(|record| summary.fold(record));
    let snapshot = summary.snapshot(&*names);
    let [stack] = &snapshot.stacks[..] else { panic!("one stack: {snapshot:?}") };
    assert_eq!((stack.exchanges, stack.registrations, stack.attaches), (13, 10, 5));
    assert_eq!((stack.preferred, stack.failovers), (2, 2));
    assert_eq!(stack.finishes, [("answered", 8), ("refused", 3), ("stray", 1), ("malformed", 1)]);
    assert_eq!(stack.refusals, [("steering", 3), ("relayed", 1)]);
    assert_eq!(stack.exits, [("attempts", 1)]);
    assert_eq!((stack.latency_us.count, stack.latency_us.max), (11, 80_000));
    assert!((2_500..2_600).contains(&stack.latency_us.p50));
    assert!(serde_json::to_string(&snapshot).is_ok_and(|text| text.contains("\"p99\":80000")));
}
