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

/// Waits until another version of the policies is in force than this one.
fn newer(stage: &Stage, version: u64, why: &str) {
    let newer = || (metric(&stage.daemon, "ipx_policy_version") > version).then_some(());
    let there = eventually(Duration::from_secs(10), newer);
    assert!(there.is_some(), "{why}: {}", stage.daemon.log());
}

const WELCOME: &str = "preferred_available = false\n";

#[test]
fn files_that_are_exchanged_by_renaming_come_into_force() {
    let folder = tests::scratch("operator-rename");
    let stage = Stage::new(&folder);
    let file = folder.join("policies/steering.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(answers(&stage.register(1, 1, STEERED)), [("exp:5004", 1)]);

    // As most editors save.
    let version = metric(&stage.daemon, "ipx_policy_version");
    let swap = folder.join("policies/.steering.toml.swp");
    std::fs::write(&swap, format!("{text}{WELCOME}")).unwrap();
    std::fs::rename(&file, folder.join("policies/steering.toml~")).unwrap();
    std::fs::rename(&swap, &file).unwrap();
    newer(&stage, version, "a file put in another's place");
    assert_eq!(answers(&stage.register(2, 1, STEERED)), [("2001", 1)]);

    // As Kubernetes mounts a ConfigMap: the file is a link through a link that is exchanged.
    let policies = folder.join("policies");
    for (generation, text) in [("..1", format!("{text}{WELCOME}# 1\n")), ("..2", text)] {
        std::fs::create_dir(policies.join(generation)).unwrap();
        std::fs::write(policies.join(generation).join("steering.toml"), text).unwrap();
    }
    std::os::unix::fs::symlink("..1", policies.join("..data")).unwrap();
    let version = metric(&stage.daemon, "ipx_policy_version");
    std::os::unix::fs::symlink("..data/steering.toml", policies.join("link")).unwrap();
    std::fs::rename(policies.join("link"), &file).unwrap();
    newer(&stage, version, "a link in the file's place");
    assert_eq!(answers(&stage.register(3, 1, STEERED)), [("2001", 1)]);
    let version = metric(&stage.daemon, "ipx_policy_version");
    std::os::unix::fs::symlink("..2", policies.join("..data_tmp")).unwrap();
    std::fs::rename(policies.join("..data_tmp"), policies.join("..data")).unwrap();
    newer(&stage, version, "another generation");
    assert_eq!(answers(&stage.register(4, 1, STEERED)), [("exp:5004", 1)]);
}

#[test]
fn what_a_restart_needs_is_said_and_not_pretended() {
    let folder = tests::scratch("operator-restart");
    let stage = Stage::new(&folder);
    let file = folder.join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let said = |part: &str| {
        let found = || stage.daemon.log().contains(part).then_some(());
        let there = eventually(Duration::from_secs(10), found);
        assert!(there.is_some(), "{part} is not in {}", stage.daemon.log());
    };
    let version = metric(&stage.daemon, "ipx_policy_version");
    let peer =
        "[[peer]]\nname = \"new\"\norigin_host = \"hss2.home.lab\"\naddresses = [\"127.0.0.1\"]\n";
    std::fs::write(&file, format!("{text}{peer}").replace("gateway.ipx.lab", "other.ipx.lab"))
        .unwrap();
    said("not in force before a restart: [gateway], peer `new` (new)");
    assert!(!stage.daemon.log().contains("policies reloaded"), "{}", stage.daemon.log());
    assert_eq!(metric(&stage.daemon, "ipx_policy_version"), version);
    let (status, told) = stage.daemon.post("/reload", "127.0.0.1", "");
    assert_eq!(status, 200, "{told}");
    assert!(told.contains("version 2 in force") && told.contains("peer `new` (new)"), "{told}");
    std::fs::write(&file, format!("{text}[[per]]\n")).unwrap();
    said("would not start again");
    said("unknown key `per`");
    assert_eq!(answers(&stage.register(1, 1, STEERED)), [("exp:5004", 1)]);
}

#[test]
fn a_file_that_came_later_and_goes_is_missed() {
    let folder = tests::scratch("operator-gone");
    let stage = Stage::new(&folder);
    let later = folder.join("policies/networks.toml");
    let version = metric(&stage.daemon, "ipx_policy_version");
    std::fs::write(&later, "[[network]]\nplmn = \"23410\"\nname = \"O\"\n").unwrap();
    newer(&stage, version, "a new file");
    std::fs::remove_file(&later).unwrap();
    let failed = || (metric(&stage.daemon, "ipx_policy_reload_failures_total") > 0).then_some(());
    eventually(Duration::from_secs(10), failed).expect("half a folder is noticed");
    let log = stage.daemon.log();
    assert!(log.contains("networks.toml:1:1: error: is in force and has gone"), "{log}");
}

#[test]
fn a_page_of_somebody_elses_reloads_nothing() {
    let folder = tests::scratch("operator-page");
    let stage = Stage::new(&folder);
    let version = metric(&stage.daemon, "ipx_policy_version");
    let host = stage.daemon.admin().to_string();
    let post = |host: &str, more: &str| stage.daemon.post("/reload", host, more).0;
    assert_eq!(post(&host, "Origin: http://evil.example\r\n"), 403);
    assert_eq!(post("evil.example", "Origin: http://evil.example\r\n"), 403);
    assert_eq!(post(&host, "Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(metric(&stage.daemon, "ipx_policy_version"), version);
    assert_eq!(post(&host, &format!("Origin: http://{host}\r\n")), 200);
    assert_eq!(post(&host, ""), 200);
    assert_eq!(metric(&stage.daemon, "ipx_policy_version"), version + 2);
}
