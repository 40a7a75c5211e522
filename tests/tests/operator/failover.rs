//! A home's node dies, or only stops, while requests wait for it.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sim::mme::{Live, Load, MmeConfig};
use tests::children::{Running, eventually};
use tests::daemon::{Daemon, built};
use tests::world::{HOME_REALM, Neighbour, PREFERRED, gateway_toml, imsi, write_policies};

use crate::{HSS, Home, MME, UP_WITHIN, answers};

const OTHER: &str = "hss2.home.lab";
/// Requests that wait at the node when it is lost.
const WINDOW: u64 = 50;
/// Those that come in one turn all go to the same node: enough that some turns choose the slow one.
const COUNT: u64 = 2_000;
/// Two of these until a silent peer is suspected, far less than an asker waits.
const WATCHDOG: &str = "[diameter]\nwatchdog_min_ms = 50\nwatchdog_ms = 1000\n\
                        request_timeout_ms = 20000\n";

/// What this signal to one of two nodes does to the requests that wait for it, and to the log.
fn lose(test: &str, signal: &str, why: &str) {
    let folder = tests::scratch(test);
    write_policies(&folder.join("policies"), &[HSS, OTHER]);
    let neighbours = [HSS, OTHER, MME].map(|host| Neighbour { host, connect: None });
    let text = gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, WATCHDOG);
    let daemon = Daemon::start(&folder, &text);
    let to = daemon.listen();
    let mut slow = Command::new(built("sim", "ipxsim"));
    slow.args(["hss", "--connect", &to.to_string(), "--origin-host", HSS]);
    slow.args(["--delay-ms", "60000"]);
    let slow = Running::start(&mut slow, &folder.join("hss1.log")).unwrap();
    let other = Home::named(OTHER, to);
    daemon.wait_up(&[HSS, OTHER], UP_WITHIN);

    let range = format!("{}..{}", imsi(1), imsi(COUNT));
    let mut config = MmeConfig::new(to, MME, range.parse().unwrap(), PREFERRED.parse().unwrap());
    config.destination_realm = HOME_REALM.into();
    config.load = Load::Window(WINDOW as usize);
    config.count = Some(COUNT);
    config.timeout = Duration::from_secs(30);
    let (_handle, stop) = sim::stop();
    let asker = std::thread::spawn(move || sim::mme::run(config, &stop, Arc::<Live>::default()));
    let stuck = || (daemon.peers()["peers"][0]["pending"] == WINDOW).then_some(());
    let waits = eventually(Duration::from_secs(10), stuck);
    assert!(waits.is_some(), "all that may wait do so at the slow node: {}", daemon.log());
    slow.signal(signal);
    let report = asker.join().unwrap().unwrap();

    assert!(report.is_clean(), "{report}");
    assert_eq!(answers(&report), [("2001", COUNT)], "every asker is answered: {report}");
    let seen = other.counters.snapshot();
    assert_eq!(seen.retransmit_flagged, WINDOW, "{seen:?}");
    assert_eq!(seen.requests["ULR"], COUNT, "{seen:?}");
    assert_eq!(seen.duplicates_flagged + seen.duplicates_unflagged, 0, "{seen:?}");
    let records = || Some(daemon.records()).filter(|records| records.len() as u64 >= COUNT);
    let records = eventually(Duration::from_secs(5), records).expect("a record of each");
    let twice = records.iter().filter(|record| record["sends"] == 2 && record["to"] == OTHER);
    assert_eq!((records.len() as u64, twice.count() as u64), (COUNT, WINDOW));
    let log = daemon.log();
    let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(said(&format!("a link is down name=\"{HSS}\" why=\"{why}\"")), 1, "{log}");
    let up = format!("a link is up name=\"{HSS}\" transport=\"tcp\" address=\"127.0.0.1:");
    assert_eq!(said(&up), 1, "{log}");
}

#[test]
fn requests_that_wait_for_a_dead_node_are_answered_by_the_other() {
    lose("operator-dead", "KILL", "the peer closed the connection");
}

#[test]
fn requests_that_wait_for_a_silent_node_are_answered_by_the_other() {
    lose("operator-silent", "STOP", "the peer is silent: failover");
}

/// Frozen, with its connection open: the watchdog needs many seconds to be sure, requests do not.
#[test]
fn a_node_that_lets_requests_expire_is_not_asked_while_another_answers() {
    let folder = tests::scratch("operator-frozen");
    write_policies(&folder.join("policies"), &[HSS, OTHER]);
    let neighbours = [HSS, OTHER, MME].map(|host| Neighbour { host, connect: None });
    let patience = "[diameter]\nrequest_timeout_ms = 500\n";
    let text = gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, patience);
    let daemon = Daemon::start(&folder, &text);
    let to = daemon.listen();
    let mut frozen = Command::new(built("sim", "ipxsim"));
    frozen.args(["hss", "--connect", &to.to_string(), "--origin-host", HSS]);
    let frozen = Running::start(&mut frozen, &folder.join("hss1.log")).unwrap();
    let _other = Home::named(OTHER, to);
    daemon.wait_up(&[HSS, OTHER], UP_WITHIN);
    frozen.signal("STOP");

    let range = format!("{}..{}", imsi(1), imsi(800));
    let mut config = MmeConfig::new(to, MME, range.parse().unwrap(), PREFERRED.parse().unwrap());
    config.destination_realm = HOME_REALM.into();
    config.load = Load::Rate(200.0);
    config.count = Some(800);
    let (_handle, stop) = sim::stop();
    let report = sim::mme::run(config, &stop, Arc::<Live>::default()).unwrap();
    frozen.signal("CONT");
    assert!(report.is_clean(), "{report}");
    let told = |code: &str| report.answers.get(code).copied().unwrap_or(0);
    assert_eq!(told("2001") + told("3002"), 800, "{report}");
    // Half of what was asked until the first one expired, and no more: it would be 400.
    assert!((1..=160).contains(&told("3002")), "{report}");
}
