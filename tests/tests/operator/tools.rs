use std::path::Path;
use std::process::{Command, Output};

use tests::world::{HOME_REALM, STEERED, imsi};

use crate::Stage;

fn ipxctl(arguments: &[&str]) -> Output {
    Command::new(tests::daemon::built("ctl", "ipxctl")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_shipped_checks_and_explains_itself() {
    let checked = ipxctl(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("0 failed"));
    let asked = "explain --act register --domain eps --imsi 214070000000001 --visited 23430 --json";
    for (attempt, verdict) in [("1", "refuse"), ("4", "refuse"), ("5", "forward")] {
        let mut arguments: Vec<&str> = asked.split(' ').collect();
        arguments.extend(["--attempt", attempt]);
        let said = ipxctl(&arguments);
        let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(json["verdict"], verdict, "attempt {attempt}: {json:#}");
        let because = json["because"].as_array().unwrap();
        let steer = because.iter().find(|reason| reason["stage"] == "steer").unwrap();
        assert_eq!(steer["rule"], "iberia-gb");
        assert_eq!(json["refusal"] == "roaming-not-allowed", verdict == "refuse");
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let folder = tests::scratch("operator-mistakes");
    let policies = folder.join("policies");
    copy_shipped(&policies);
    let steering = policies.join("steering.toml");
    let wrong = std::fs::read_to_string(&steering)
        .unwrap()
        .replacen("customer = \"iberia\"", "customer = \"ibera\"", 1)
        .replacen("refusals_max = 2", "refusals_max = 5", 1)
        .replacen("code = 5421", "code = 4181", 1);
    std::fs::write(&steering, wrong).unwrap();
    let config = policies.join("gateway.toml").display().to_string();
    let checked = ipxctl(&["check", "--config", &config]);
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stderr);
    let places =
        said.lines().filter(|line| line.contains("steering.toml:") && line.contains("error"));
    assert!(places.count() >= 3, "{said}");
    assert!(said.contains("iberia") && said.contains('4') && said.contains("5004"), "{said}");
}

fn copy_shipped(to: &Path) {
    let from = tests::root().join("policies");
    for folder in ["", "cases"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(from.join(folder)).unwrap().flatten() {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
fn peers_are_shown_as_they_are() {
    let folder = tests::scratch("operator-peers");
    let stage = Stage::new(&folder);
    stage.register(1, 1, STEERED);
    let admin = stage.daemon.admin().to_string();
    let shown = ipxctl(&["peers", "--admin", &admin]);
    let table = text(&shown.stdout);
    let line = table.lines().find(|line| line.contains("hss1.home.lab")).expect("the HSS's line");
    assert!(line.contains('●') && line.contains("Open"), "{table}");
    let json: serde_json::Value =
        serde_json::from_slice(&ipxctl(&["peers", "--json", "--admin", &admin]).stdout).unwrap();
    assert_eq!(json["peers"][1]["counters"]["requests_in"], 1, "{json:#}");
    assert_eq!(json["door"]["admitted"], 2);
    assert!(!table.contains(&imsi(1)) && table.contains(HOME_REALM));
    drop(stage);
    let nobody = ipxctl(&["peers", "--admin", &admin]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("running"));
}
