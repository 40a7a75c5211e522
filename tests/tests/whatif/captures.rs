//! Captures of real traffic.

use serde_json::Value;

use crate::{Stage, number, policies};

/// Homes of the captures' subscribers, and networks that their visited nodes are taken for.
const NETWORKS: &str = r#"
[[network]]
plmn = "90170"
country = "GB"
[[network]]
plmn = "405037"
country = "IN"
[[network]]
plmn = "310260"
titles = "919041"
[[network]]
plmn = "26201"
titles = "447785"
"#;
const CUSTOMERS: &str = r#"
[[customer]]
name = "home"
plmns = ["90170", "405037", "23415"]
realms = ["home.lab"]
"#;

/// Every network of the captures is one to leave.
fn steered() -> Vec<(&'static str, String)> {
    let mut policies = policies("national_roaming = true");
    policies[0].1 = CUSTOMERS.into();
    policies.push(("networks.toml", NETWORKS.into()));
    for (country, preferred) in [("US", "310410"), ("DE", "26202")] {
        policies[1].1 += &format!(
            "[[plan]]\nname = \"{country}\"\ncustomer = \"home\"\ncountry = \"{country}\"\n\
             preferred = [\"{preferred}\"]\nlearn = false\n"
        );
    }
    policies
}

/// Only looked at.
fn observed() -> Vec<(&'static str, String)> {
    let mut policies = steered();
    policies[1].1 = policies[1].1.replace("learn = false", "mode = \"observe\"");
    policies
}

fn counts<const N: usize>(report: &Value, at: &str, names: [&str; N]) -> [u64; N] {
    names.map(|name| number(report, &format!("/{at}/{name}")))
}

#[test]
fn a_capture_of_an_mme() {
    let Some(mme) = tests::lab("captures/o5gs-testattach.pcapng") else {
        return tests::skip("no captures beside the repository");
    };
    let stage = Stage::new("capture-mme");
    stage.policies("policies", &observed());
    let tried = stage.policies("tried", &steered());
    let report = stage.try_policies(&tried, &["--capture", &mme.display().to_string()]);
    // Ten attaches of one test subscriber within two seconds, each accepted.
    let names = ["registrations", "subscribers", "unanswered", "unread", "second_legs"];
    assert_eq!(counts(&report, "input", names), [10, 1, 0, 0, 0], "{report:#}");
    assert_eq!(counts(&report, "input", ["authentications", "refused_then"]), [13, 0]);
    assert_eq!(number(&report, "/in_force/accepted"), 10);
    assert_eq!(number(&report, "/in_force/would_refuse"), 1, "the first; then it is settled");
    assert_eq!(number(&report, "/tried/subscribers_refused"), 1);
    assert_eq!(report["groups"][0]["visited"], "90170");
}

#[test]
fn a_capture_of_vlrs() {
    let Some(vlr) = tests::lab("captures/pcapr-map-dev.pcap") else {
        return tests::skip("no captures beside the repository");
    };
    let stage = Stage::new("capture-vlr");
    stage.policies("policies", &observed());
    let tried = stage.policies("tried", &steered());
    let capture = vlr.display().to_string();
    let of = |moves| stage.try_policies(&tried, &["--capture", &capture, "--moves", moves]);
    let report = of("100");
    // Three location updates, one of them behind a relay as well, one refused with error 8.
    let names = ["registrations", "subscribers", "second_legs", "refused_then", "unanswered"];
    assert_eq!(counts(&report, "input", names), [3, 3, 6, 1, 0], "{report:#}");
    let names = ["registrations", "refused_by_steering", "accepted", "moved", "insisted"];
    assert_eq!(counts(&report, "in_force", names), [3, 0, 3, 0, 0]);
    // One is refused as it was; of the accepted one is refused, and turns to the other network.
    assert_eq!(counts(&report, "tried", names), [4, 2, 2, 1, 0], "{report:#}");
    let visited = |report: &Value, place: usize| report["groups"][place]["visited"].clone();
    assert_eq!([visited(&report, 0), visited(&report, 1)], ["26201", "310260"]);
    // Or asks again: four refusals, and is let in.
    assert_eq!(counts(&of("0"), "tried", names), [7, 5, 2, 0, 1]);
}
