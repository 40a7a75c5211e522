//! `ipxd lab` as everybody runs it, twice at the same time: 4G beside 2G and 3G, nothing lost, all of
//! it recorded, and one attempt counter for both.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::children::{Running, eventually};

const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(60);
/// A UL and a UGL of one attach are closer together than this, and two attaches never are.
const ONE_ATTACH_US: u64 = 50_000;

fn lab(folder: &Path, name: &str, arguments: &str) -> Running {
    let mut command = Command::new(tests::daemon::built("daemon", "ipxd"));
    command.args(["lab", "--json"]).args(arguments.split(' '));
    command.arg("--records").arg(folder.join(name));
    let log = folder.join(format!("{name}.log"));
    let running = Running::start(&mut command, &log).unwrap();
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let ready = eventually(START, || said().contains("metrics http").then_some(()));
    assert!(ready.is_some(), "{name} is not up: {}", said());
    running
}

/// Waits for its end, and gives the report.
fn report(running: &mut Running, folder: &Path, name: &str) -> Value {
    let status = running.wait(END);
    let said = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap();
    assert!(status.success(), "{status}: {said}");
    serde_json::from_str(said.lines().last().unwrap()).expect("the report is the last line")
}

fn count(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_else(|| panic!("no {name}: {of:#}"))
}

/// Everything answered once, rightly, and recorded; in each stack, and in both together.
fn judge(report: &Value) {
    let stacks = report["stacks"].as_object().unwrap();
    assert_eq!(stacks.keys().collect::<Vec<_>>(), ["diameter", "ss7"]);
    for (name, side) in stacks {
        for fault in ["lost", "duplicated", "mismatched"] {
            assert_eq!(count(side, fault), 0, "{name}: {fault}");
        }
        assert!(count(side, "transactions") > 200, "{name}: {side:#}");
        assert!(count(side, "refused_steering") > 0, "{name}: {side:#}");
        assert_eq!(side["refusals"]["steering"], side["refused_steering"], "{name}");
        let seen = count(side, "transactions") + count(side, "home_requests");
        assert_eq!(count(side, "recorded"), seen, "{name}: {side:#}");
        assert!(side["preferred_share"].as_f64().unwrap() > 0.5, "{name}: {side:#}");
        assert!(side["p50_us"].as_f64().unwrap() <= side["p99_us"].as_f64().unwrap(), "{name}");
    }
    for sum in ["transactions", "refused_steering", "exits", "recorded", "home_requests"] {
        let both: u64 = stacks.values().map(|side| count(side, sum)).sum();
        assert_eq!(count(report, sum), both, "{sum}");
    }
    let registered: BTreeSet<&str> = report["networks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|network| count(network, "registered") > 0)
        .map(|network| network["stack"].as_str().unwrap())
        .collect();
    assert_eq!(registered.len(), 2, "{report:#}");
    assert_eq!(count(report, "abandoned"), 0, "nobody is left without service");
}

/// The registrations that steering had to do with, by subscriber and visited network, in order.
fn steered(folder: &Path) -> BTreeMap<(String, String), Vec<Value>> {
    let mut all: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if record["act"] == "register" && record["attempt"].is_u64() {
                let of = |name: &str| record[name].as_str().unwrap().to_owned();
                all.entry((of("subscriber"), of("visited"))).or_default().push(record);
            }
        }
    }
    for records in all.values_mut() {
        records.sort_by_key(|record| count(record, "opened_us"));
    }
    all
}

#[test]
fn both_stacks_are_shown_side_by_side_in_the_same_steering_episodes() {
    let folder = tests::scratch("lab");
    let mut first = lab(&folder, "first", "--for 9s --rate 200 --subscribers 200");
    // The ports are taken now: it finds others.
    let mut second = lab(&folder, "second", "--for 4s --rate 100 --seed 2");
    judge(&report(&mut second, &folder, "second"));
    let said = report(&mut first, &folder, "first");
    judge(&said);
    // Who left silently and came back elsewhere was cancelled at the old node.
    for (name, side) in said["stacks"].as_object().unwrap() {
        assert!(count(side, "home_requests") > 0, "{name}: {side:#}");
    }

    let (mut combined, mut mixed) = (0, 0);
    for (whose, records) in steered(&folder.join("first")) {
        let attempts: Vec<u64> = records.iter().map(|record| count(record, "attempt")).collect();
        assert!(
            attempts.is_sorted() && attempts.iter().all(|n| *n <= 4),
            "{whose:?}: {attempts:?}"
        );
        let stacks: BTreeSet<&str> =
            records.iter().map(|record| record["stack"].as_str().unwrap()).collect();
        mixed += u64::from(stacks.len() == 2 && attempts.last() > attempts.first());
        for two in records.windows(2) {
            let near = count(&two[1], "opened_us") - count(&two[0], "opened_us") < ONE_ATTACH_US;
            let domains = [&two[0]["domain"], &two[1]["domain"]];
            if near && (domains == ["cs", "ps"] || domains == ["ps", "cs"]) {
                combined += 1;
                for same in ["attempt", "finish", "exit", "error"] {
                    assert_eq!(two[0][same], two[1][same], "{whose:?}: {two:#?}");
                }
            }
        }
    }
    assert!(combined > 50, "a UL and a UGL of one attach count once: {combined}");
    assert!(mixed > 10, "episodes over both accesses with one counter: {mixed}");
}
