use std::time::Duration;

use tests::children::eventually;
use tests::daemon::Daemon;
use tests::world::STEERED;

use crate::{Stage, answers};

/// The value of a metric without labels.
fn metric(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.get("/metrics").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.and_then(|value| value.parse().ok());
    assert!(value.is_some(), "no {name} in {text}");
    value.unwrap()
}

#[test]
fn saved_policies_come_into_force_whole_or_not_at_all() {
    let folder = tests::scratch("operator-reload");
    let stage = Stage::new(&folder);
    let file = folder.join("policies/steering.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(answers(&stage.register(1, 2, STEERED)), [("exp:5004", 2)]);

    std::fs::write(&file, text.replace("preferred", "prefered")).unwrap();
    let failed = || (metric(&stage.daemon, "ipx_policy_reload_failures_total") > 0).then_some(());
    eventually(Duration::from_secs(10), failed).expect("the mistake is noticed");
    let log = stage.daemon.log();
    assert!(log.contains("steering.toml:5:1") && log.contains("preferred"), "{log}");
    let other = stage.register(2, 1, STEERED);
    assert_eq!(answers(&other), [("exp:5004", 1)], "the policies in force stay");

    let version = metric(&stage.daemon, "ipx_policy_version");
    std::fs::write(&file, format!("# the same again\n{text}")).unwrap();
    let newer = || (metric(&stage.daemon, "ipx_policy_version") > version).then_some(());
    eventually(Duration::from_secs(10), newer).expect("the repaired file comes into force");
    assert_eq!(answers(&stage.register(1, 2, STEERED)), [("exp:5004", 2)], "two and two are four");
    assert_eq!(answers(&stage.register(1, 1, STEERED)), [("2001", 1)], "attempts survive a reload");

    let version = metric(&stage.daemon, "ipx_policy_version");
    std::fs::write(&file, format!("{text}preferred_available = false\n")).unwrap();
    let newer = || (metric(&stage.daemon, "ipx_policy_version") > version).then_some(());
    eventually(Duration::from_secs(10), newer).expect("the other plan comes into force");
    assert_eq!(answers(&stage.register(3, 1, STEERED)), [("2001", 1)], "nobody to steer to");

    let version = metric(&stage.daemon, "ipx_policy_version");
    stage.daemon.signal("HUP");
    let newer = || (metric(&stage.daemon, "ipx_policy_version") > version).then_some(());
    eventually(Duration::from_secs(10), newer).expect("SIGHUP reloads");
}

#[test]
fn it_ends_in_order_when_told() {
    let folder = tests::scratch("operator-end");
    let mut stage = Stage::new(&folder);
    assert_eq!(answers(&stage.register(1, 1, STEERED)), [("exp:5004", 1)]);
    stage.daemon.signal("TERM");
    assert!(stage.daemon.ended(Duration::from_secs(20)).success());
    assert_eq!(stage.daemon.records().len(), 1, "the last record is on disk");
}
