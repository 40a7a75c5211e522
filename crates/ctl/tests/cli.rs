//! The tool as the operator runs it.
#![allow(clippy::disallowed_methods, reason = "tests write files to have them checked")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn ipxctl(arguments: &[&str]) -> Output {
    let tool = Command::new(env!("CARGO_BIN_EXE_ipxctl")).args(arguments).output();
    tool.expect("the tool runs")
}

fn explain(arguments: &[&str]) -> Value {
    let output = ipxctl(&[&["explain", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// The shipped folder, copied, with one file changed.
fn changed(name: &str, file: &str, from: &str, to: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ipxctl-{name}-{}", std::process::id()));
    let _old = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("cases")).expect("a folder");
    for (shipped, text) in config::SHIPPED {
        let changed = text.replace(from, to);
        let text = if *shipped == file { &changed } else { *text };
        std::fs::write(dir.join(shipped), text).expect("a file");
    }
    dir
}

#[test]
fn the_shipped_policies_check() {
    let output = ipxctl(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "not even a warning");
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 failed"));
}

#[test]
fn mistakes_and_failing_cases_exit_with_two_and_say_where() {
    let dir = changed("mistake", "steering.toml", "refusals_max = 2", "refusal_max = 2");
    let output = ipxctl(&["check", "--config", &dir.join("gateway.toml").to_string_lossy()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    let line =
        format!("{}:53:1: error: unknown key `refusal_max`", dir.join("steering.toml").display());
    assert!(told.contains(&line), "{line}\n{told}");
    std::fs::remove_dir_all(dir).expect("cleared");

    let dir =
        changed("case", "steering.toml", "preferred = [\"23410\"]", "preferred = [\"23415\"]");
    let output = ipxctl(&["check", "--config", &dir.join("gateway.toml").to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("cases/steering.toml:6:8: error: case")
    );
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn explain_says_verdict_refusal_and_because() {
    let arguments =
        ["--act", "register", "--domain", "eps", "--imsi", "214070000000001", "--visited", "23430"];
    let first = explain(&arguments);
    assert_eq!(
        (&first["verdict"], &first["refusal"]),
        (&"refuse".into(), &"roaming-not-allowed".into())
    );
    assert_eq!(first["because"][0]["stage"], "steer");
    assert_eq!(first["because"][0]["rule"], "iberia-gb");
    assert_eq!(first["because"][0]["outcome"], "refuse");
    let fifth = explain(&[&arguments[..], &["--attempt", "5"]].concat());
    assert_eq!((&fifth["verdict"], &fifth["exit"]), (&"forward".into(), &"attempts".into()));
    assert_eq!(fifth["group"], "hss-iberia");
    let words = ipxctl(&[&["explain"], &arguments[..]].concat());
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("REFUSED") && words.contains("EE, GB") && words.contains("s6a ulr"));
}

#[test]
fn explain_tells_what_came_close() {
    let trace = explain(&["--imsi", "214070000000001", "--visited", "26201"]);
    let close = trace["stages"][1]["rules"].as_array().expect("plans").iter();
    let gb = close.clone().find(|rule| rule["rule"] == "iberia-gb").expect("it came close");
    assert_eq!(gb["matched"], false);
    let failed = gb["conditions"].as_array().expect("conditions").iter();
    let failed: Vec<&Value> = failed.filter(|check| check["holds"] == false).collect();
    assert_eq!((failed.len(), &failed[0]["field"]), (1, &"visited".into()));
}

#[test]
fn a_wrong_operation_is_answered_with_the_nearest() {
    let output = ipxctl(&["explain", "--imsi", "214070000000001", "--operation", "url"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `ulr`?"));
}

/// What a subscriber of iberia's hears who registers like this.
fn registers(arguments: &str) -> Value {
    let asked = format!("--act register --imsi 214070000000001 {arguments}");
    explain(&asked.split(' ').collect::<Vec<_>>())
}

#[test]
fn explain_takes_a_serving_node_by_its_number_in_the_place_of_the_visited_network() {
    for domain in ["cs", "ps"] {
        let refused = registers(&format!("--domain {domain} --node 447785016005"));
        assert_eq!(refused["verdict"], "refuse", "{refused:#}");
        assert_eq!(refused["refusal"], "roaming-not-allowed");
        assert_eq!(
            (&refused["visited"]["plmn"], &refused["attempt"]),
            (&"23415".into(), &1.into())
        );
        let preferred = registers(&format!("--domain {domain} --node 447802002505"));
        assert_eq!(
            (&preferred["verdict"], &preferred["preferred"]),
            (&"forward".into(), &true.into())
        );
    }
    let named = registers("--domain cs --visited 23415 --attempt 5");
    assert_eq!((&named["verdict"], &named["exit"]), (&"forward".into(), &"attempts".into()));
    let nowhere = registers("--domain cs --node 999123");
    assert_eq!((&nowhere["verdict"], &nowhere["visited"]), (&"forward".into(), &Value::Null));
    let words = ipxctl(&[
        "explain",
        "--domain",
        "cs",
        "--imsi",
        "214070123456789",
        "--node",
        "447785016005",
    ]);
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("REFUSED") && words.contains("from 447785016005 to 34609"), "{words}");
    let both = ipxctl(&["explain", "--visited", "23415", "--node", "447785016005"]);
    assert_eq!(both.status.code(), Some(2), "one or the other");
}

#[test]
fn who_registers_without_an_imsi_is_refused_with_a_code_that_the_standard_allows() {
    use procedure::Vocabulary as _;
    for domain in [procedure::Domain::Eps, procedure::Domain::Ps] {
        let words = stacks::vocabulary();
        assert!(words.is_legal(procedure::Act::Register, domain, procedure::Refusal::Unauthorised));
    }
    let realm = "epc.mnc007.mcc214.3gppnetwork.org";
    let refused = explain(&["--visited", "23415", "--destination-realm", realm]);
    assert_eq!(refused["because"][0]["rule"], "no-register-without-imsi", "{refused:#}");
    assert_eq!(refused["refusal"], "unauthorised");
}
