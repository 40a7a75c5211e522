//! Records of handsets whose manners are known.

use crate::population::{COMBINED, Handset, Journal, Manner, NETWORKS, handsets, live};
use crate::{KEY, Stage, number, policies, shows_an_imsi};

/// Handsets of every kind: some move, some insist, some begin on the preferred network.
fn crowd() -> Vec<Handset> {
    let mut crowd = handsets(400, 1_500, 60);
    for handset in crowd.iter_mut().filter(|handset| handset.number % 2 == 0) {
        handset.domains = COMBINED;
    }
    for handset in crowd.iter_mut().filter(|handset| handset.number % 5 == 0) {
        handset.network = NETWORKS[1];
    }
    crowd
}

#[test]
fn the_same_policies_make_no_difference_and_do_what_was_recorded() {
    let stage = Stage::new("same");
    let truth = stage.record(&crowd(), "");
    let report = stage.try_policies(&stage.folder.join("policies"), &[]);
    assert_eq!(report["in_force"], report["tried"]);
    assert_eq!(number(&report, "/newly_refused"), 0);
    assert_eq!(number(&report, "/no_longer_refused"), 0);
    let counts = ["registrations", "refused_by_steering", "subscribers_refused"]
        .map(|name| number(&report, &format!("/in_force/{name}")));
    assert_eq!(counts, [truth.registrations, truth.refused, truth.people_refused]);
    assert_eq!(number(&report, "/input/records"), truth.records);
    assert_eq!(number(&report, "/input/subscribers"), 400);
    assert_eq!(number(&report, "/input/refused_then"), truth.refused);
    assert_eq!(
        number(&report, "/in_force/extra_signalling"),
        truth.refused + truth.refused_tries,
        "one authentication a try"
    );
    assert_eq!(number(&report, "/in_force/made_up"), 0);
    let exits = number(&report, "/in_force/exits/attempts");
    let insisting =
        crowd().iter().filter(|h| h.manner == Manner::Insists && h.network == NETWORKS[0]).count();
    assert_eq!(exits, insisting as u64, "every one that insists is let in");
}

/// What is foretold against what the same handsets do under the tried policies.
fn foretold(name: &str, before: &str, after: &str) -> (serde_json::Value, crate::Truth) {
    let stage = Stage::new(name);
    stage.policies("policies", &policies(before));
    stage.record(&crowd(), before);
    let folder = stage.policies("tried", &policies(after));
    let truth = live(&crowd(), &policies(after), None);
    let report = stage.try_policies(&folder, &[]);
    let refused = number(&report, "/tried/refused_by_steering") as f64;
    let wrong = (refused - truth.refused as f64).abs() / (truth.refused.max(20) as f64);
    println!("{name}: foretold {refused}, happened {}", truth.refused);
    assert!(wrong < 0.12, "{name}: {refused} foretold, {} happened", truth.refused);
    let people = number(&report, "/tried/subscribers_refused");
    assert_eq!(people, truth.people_refused, "{name}");
    (report, truth)
}

#[test]
fn a_looser_policy_refuses_as_much_as_it_will() {
    let (report, truth) = foretold("looser", "", "refusals_max = 1");
    assert_eq!(
        number(&report, "/tried/refused_by_steering"),
        truth.refused,
        "all is in the records"
    );
    assert_eq!(number(&report, "/tried/registrations"), truth.registrations);
    assert!(number(&report, "/tried/passed_over") > 0);
}

#[test]
fn a_stricter_policy_refuses_as_much_as_it_will() {
    let (report, _) = foretold("stricter", "refusals_max = 1", "refusals_max = 4");
    let rules = &report["groups"][0]["tried"]["because"];
    assert!(
        rules
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["rule"] == "gb" && one["outcome"] == "refuse")
    );
    assert_eq!(report["groups"][0]["customer"], "home");
    assert_eq!(report["groups"][0]["visited"], NETWORKS[0]);
}

#[test]
fn steering_where_there_was_none_is_foretold_by_an_assumption_that_is_said() {
    let stage = Stage::new("first");
    stage.policies("policies", &policies("mode = \"observe\""));
    stage.record(&crowd(), "mode = \"observe\"");
    let folder = stage.policies("tried", &policies(""));
    let truth = live(&crowd(), &policies(""), None);
    // Sixty of a hundred move, which no record tells.
    let report = stage.try_policies(&folder, &["--moves", "60", "--top", "3"]);
    assert_eq!(number(&report, "/in_force/refused_by_steering"), 0);
    assert!(number(&report, "/in_force/would_refuse") > 0);
    assert_eq!(number(&report, "/tried/subscribers_refused"), truth.people_refused);
    assert_eq!(number(&report, "/newly_refused"), truth.people_refused);
    let refused = number(&report, "/tried/refused_by_steering") as f64;
    assert!((refused / truth.refused as f64 - 1.0).abs() < 0.2, "{refused} {truth:?}");
    assert_eq!(number(&report, "/moves/assumed_networks"), 1);
    assert_eq!(report["newly_refused_top"].as_array().unwrap().len(), 3);
    // Four tries, each over two domains.
    let first = &report["newly_refused_top"][0];
    assert_eq!((first["rule"].as_str(), first["refusals"].as_u64()), (Some("gb"), Some(8)));
    assert_eq!(first["subscriber"].as_str().unwrap().len(), 32);
    let combined =
        crowd().iter().filter(|h| h.network == NETWORKS[0] && h.domains == COMBINED).count();
    let first_try = truth.people_refused + combined as u64;
    // The extremes tell what the assumption is worth.
    let [all, none] = ["100", "0"].map(|moves| {
        number(&stage.try_policies(&folder, &["--moves", moves]), "/tried/refused_by_steering")
    });
    assert_eq!((all, none), (first_try, 4 * first_try));
}

#[test]
fn a_barred_network_and_one_that_only_observes() {
    let stage = Stage::new("barred");
    stage.record(&crowd(), "");
    let barred = stage.policies("barred", &policies("barred = [\"23410\"]"));
    let report = stage.try_policies(&barred, &[]);
    assert_eq!(number(&report, "/tried/refused_by_steering"), 0);
    assert!(number(&report, "/tried/barred") >= number(&report, "/input/refused_then"));
    assert_eq!(number(&report, "/in_force/barred"), 0);
    let observed = stage.policies("observed", &policies("mode = \"observe\""));
    let report = stage.try_policies(&observed, &[]);
    assert_eq!(number(&report, "/tried/refused_by_steering"), 0);
    assert!(number(&report, "/tried/would_refuse") > 0);
    assert_eq!(
        number(&report, "/no_longer_refused"),
        number(&report, "/in_force/subscribers_refused")
    );
}

/// Records that begin in the middle: who was held then is not refused now.
#[test]
fn who_is_held_when_the_records_begin_stays_held() {
    let stage = Stage::new("held");
    let mut crowd = crowd();
    crowd.iter_mut().for_each(|handset| handset.again_ms = Some(1_800_000));
    stage.record(&crowd, "");
    let path = stage.journal().join("records.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let cut_us = crate::population::EPOCH_US + 1_500_000_000;
    let late = |line: &&str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["opened_us"].as_u64().unwrap() > cut_us
    };
    let kept: Vec<&str> = text.lines().filter(late).collect();
    assert!(kept.len() > 400 && kept.len() < text.lines().count());
    std::fs::write(&path, kept.join("\n") + "\n").unwrap();
    let report = stage.try_policies(&stage.folder.join("policies"), &[]);
    assert_eq!(number(&report, "/input/refused_then"), 0);
    assert_eq!(number(&report, "/in_force/refused_by_steering"), 0);
    assert_eq!(number(&report, "/in_force/registrations"), number(&report, "/input/registrations"));
}

#[test]
fn what_the_home_refuses_is_learned_as_refused() {
    let stage = Stage::new("denied");
    let mut crowd = crowd();
    crowd.iter_mut().for_each(|handset| handset.denied = true);
    stage.record(&crowd, "");
    let report = stage.try_policies(&stage.folder.join("policies"), &[]);
    assert_eq!(report["in_force"], report["tried"]);
    assert_eq!(number(&report, "/in_force/accepted"), 0);
}

#[test]
fn pseudonyms_of_another_key_are_judged_by_their_home_and_that_is_said() {
    let stage = Stage::new("key");
    stage.record(&crowd(), "");
    let folder = stage.policies("tried", &policies("refusals_max = 1"));
    let own = stage.try_policies(&folder, &[]);
    stage.gateway([7; 32]);
    let foreign = stage.try_policies(&folder, &[]);
    assert_eq!(own["tried"], foreign["tried"], "nothing here goes by the subscriber's digits");
    assert_eq!((number(&own, "/input/made_up"), number(&foreign, "/input/made_up")), (0, 400));
    let notes = foreign["notes"].to_string();
    assert!(notes.contains("400 subscriber(s) are known by a pseudonym of another key"), "{notes}");
}

#[test]
fn shares_stand_beside_their_targets() {
    let stage = Stage::new("shares");
    stage.record(&crowd(), "");
    let shares = "preferred = [\"23415\", \"23420\"]\nlearn = false\nshares = [30, 70]";
    let mut policies = policies("");
    policies[1].1 =
        format!("[[plan]]\nname = \"gb\"\ncustomer = \"home\"\ncountry = \"GB\"\n{shares}\n");
    let folder = stage.policies("tried", &policies);
    let report = stage.try_policies(&folder, &["--moves", "100"]);
    let rows = report["shares"].as_array().unwrap();
    let row = |network: &str| rows.iter().find(|row| row["network"] == network).unwrap();
    assert_eq!(row("23420")["tried_target_pct"], 70.0, "{rows:#?}");
    assert_eq!(row("23415")["in_force_pct"], 100.0);
    // Those who come to a network that is above its share are asked to go to the other one.
    let share = row("23420")["tried_pct"].as_f64().unwrap();
    assert!((20.0..80.0).contains(&share), "{share}");
    assert!(number(&report, "/tried/moved") > 0);
    assert!(row("23420")["in_force_pct"].is_null(), "no network of that plan");
}

#[test]
fn people_get_a_table_and_nobody_gets_an_imsi() {
    let stage = Stage::new("table");
    let journal = Journal { folder: &stage.journal(), key: KEY, clear: true };
    live(&crowd(), &policies("refusals_max = 1"), Some(&journal));
    // What is broken may hold anything.
    let broken = format!("{{\"v\":\"{0}\",\"imsi\":\"{0}\"}}\n", tests::world::imsi(1));
    std::fs::write(stage.journal().join("records-broken.jsonl"), broken).unwrap();
    stage.policies("policies", &policies("refusals_max = 1"));
    let folder = stage.policies("tried", &policies("")).display().to_string();
    for more in [&["--top", "400"][..], &["--json", "--top", "400"]] {
        let output = stage.run(&[&["--policies", &folder], more].concat());
        assert!(output.status.success());
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("unread"), "{text}");
        assert!(!shows_an_imsi(&text), "{text}");
        if !more.contains(&"--json") {
            println!("{text}");
            for word in [
                "in force",
                "refused by steering",
                "extra signalling",
                "home on 23410",
                "because",
                "1 unread",
            ] {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }
}

#[test]
fn mistakes_are_told_as_check_tells_them() {
    let stage = Stage::new("mistakes");
    stage.record(&crowd(), "");
    let folder = stage.policies("tried", &policies("refusals_max = 9"));
    let said = stage.run(&["--policies", &folder.display().to_string()]);
    assert_eq!(said.status.code(), Some(2));
    // The same files as a gateway's own.
    stage.policies("policies", &policies("refusals_max = 9"));
    let config = stage.folder.join("gateway.toml").display().to_string();
    let mut check = std::process::Command::new(tests::daemon::built("ctl", "ipxctl"));
    let checked = check.args(["check", "--config", &config]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("/tried/", "/policies/");
    assert_eq!(checked.status.code(), Some(2));
    assert_eq!(text(&said.stderr), text(&checked.stderr));
    assert!(text(&said.stderr).contains("steering.toml:"), "{}", text(&said.stderr));
    stage.policies("policies", &policies(""));
    let none = stage.folder.join("nowhere").display().to_string();
    assert_eq!(stage.run(&["--policies", &none]).status.code(), Some(2));
}
