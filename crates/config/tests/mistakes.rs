//! Every mistake at once, each with its place.
#![allow(clippy::disallowed_methods, reason = "tests write files to read them back")]

use std::path::PathBuf;

#[path = "../../policy/tests/words/mod.rs"]
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;
use words::Words;

/// A folder of its own, with these files in it.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("ipx-config-{name}-{}", std::process::id()));
    let _old = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("cases")).expect("a folder");
    for (file, text) in files {
        std::fs::write(dir.join(file), text).expect("a file");
    }
    dir
}

#[test]
fn many_mistakes_in_two_files_are_all_told_with_their_places() {
    let gateway = r#"
[gateway]
origin_host = "dra1"
origin_relam = "x.example"
[diameter]
watchdog_ms = 500
[[listen]]
address = "127.0.0.1"
[[listen]]
address = "127.0.0.1:5658"
transport = "tls"
certificate = "none.pem"
key = "none.key"
trust = "none.ca"
[[peer]]
name = "a"
origin_host = "a.x.example"
[[peer]]
name = "a"
origin_host = "a.x.example"
addresses = ["127.0.0.1", "localhost"]
"#;
    let dir = folder(
        "many",
        &[
            ("gateway.toml", gateway),
            ("routes.toml", "[[route]]\nname = \"r\"\nto = \"nowhere\"\n"),
        ],
    );
    let mistakes = config::load(Some(&dir.join("gateway.toml")), &Words).expect_err("mistakes");
    let lines: Vec<(usize, usize)> =
        mistakes.list.iter().map(|found| (found.line, found.column)).collect();
    let text = mistakes.to_string();
    for (part, place) in [
        ("`dra1` is no value for `origin_host`", (3, 15)),
        ("unknown key `origin_relam` (did you mean `origin_realm`?)", (4, 1)),
        ("`watchdog_ms` is out of range (from 6000 to 600000)", (6, 15)),
        ("`127.0.0.1` is no value for `address`", (8, 11)),
        ("there is no file", (12, 15)),
        ("this peer has no `addresses`", (15, 1)),
        ("two peers are called `a`", (19, 8)),
        ("two peers are `a.x.example`", (20, 15)),
        ("`localhost` is no value for `addresses`", (21, 27)),
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
        assert!(lines.contains(&place), "{place:?} is not in\n{text}");
    }
    let fancy = mistakes.fancy(false);
    assert!(fancy.contains("did you mean `origin_realm`?") && fancy.contains("origin_relam ="));
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn groups_are_held_to_the_peers_and_routes_to_the_groups() {
    let gateway = r#"
[gateway]
origin_host = "dra1.x.example"
[[listen]]
address = "127.0.0.1:3868"
[[peer]]
name = "iberia-hss1"
origin_host = "hss1.x.example"
addresses = ["127.0.0.1"]
"#;
    let routes = r#"[[group]]
name = "hss"
members = [{ peer = "iberia-hss2" }]
[[route]]
name = "r"
destination_realm = "x.example"
to = "hsss"
"#;
    let dir = folder("peers", &[("gateway.toml", gateway), ("routes.toml", routes)]);
    let mistakes = config::load(Some(&dir.join("gateway.toml")), &Words).expect_err("mistakes");
    let text = mistakes.to_string();
    assert!(
        text.contains(
            "routes.toml:3:21: error: there is no peer `iberia-hss2` (did you mean `iberia-hss1`?)"
        ),
        "{text}"
    );
    assert!(
        text.contains("routes.toml:7:6: error: there is no group `hsss` (did you mean `hss`?)"),
        "{text}"
    );
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn a_mistake_in_gateway_toml_hides_no_unknown_member() {
    let gateway = r#"
[gateway]
origin_host = "dra1.x.example"
[[peer]]
name = "hss1"
origin_host = "hss1.x.example"
address = "127.0.0.1"
"#;
    let routes = r#"[[group]]
name = "hss"
members = [{ peer = "hss1" }, { peer = "nobody", weight = 0, wait = 1 }]
"#;
    let dir = folder("hidden", &[("gateway.toml", gateway), ("routes.toml", routes)]);
    let mistakes = config::load(Some(&dir.join("gateway.toml")), &Words).expect_err("mistakes");
    let text = mistakes.to_string();
    let wanted = [
        "unknown key `address` (did you mean `addresses`?)",
        "routes.toml:3:40: error: there is no peer `nobody` (known: hss1)",
        "routes.toml:3:59: error: `weight` is out of range",
        "routes.toml:3:62: error: unknown key `wait` (known: peer, priority, weight)",
    ];
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("no peer `hss1`"), "{text}");
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_and_not_a_panic() {
    let mistakes = config::load(Some(&PathBuf::from("/nowhere/gateway.toml")), &Words);
    let text = mistakes.expect_err("a mistake").to_string();
    assert!(text.starts_with("/nowhere/gateway.toml:1:1: error: cannot be read"), "{text}");
}

#[test]
fn a_file_that_goes_while_the_gateway_runs_is_a_mistake_unless_it_holds_cases() {
    let gateway = "[gateway]\norigin_host = \"d.ipx\"\norigin_realm = \"ipx\"\npolicies = \".\"\n";
    let case = "[[case]]\nname = \"c\"\nact = \"register\"\nexpect = { verdict = \"forward\" }\n";
    let files = [
        ("gateway.toml", gateway),
        ("routes.toml", ""),
        ("customers.toml", ""),
        ("cases/c.toml", case),
    ];
    let dir = folder("gone", &files);
    let loaded = config::load(Some(&dir.join("gateway.toml")), &Words).expect("checks");
    std::fs::remove_file(dir.join("cases/c.toml")).expect("removed");
    assert_eq!(loaded.reread(&loaded.sources).expect("still whole").len(), 2);
    std::fs::remove_file(dir.join("routes.toml")).expect("removed");
    let text = loaded.reread(&loaded.sources).expect_err("half a folder").to_string();
    assert!(text.contains("routes.toml:1:1: error: is in force and has gone"), "{text}");
    std::fs::write(dir.join("routes.toml"), "").expect("again");
    std::fs::write(dir.join("steering.toml"), "").expect("a file that the start did not have");
    let in_force = loaded.reread(&loaded.sources).expect("more than at the start");
    std::fs::remove_file(dir.join("steering.toml")).expect("removed");
    let text = loaded.reread(&in_force).expect_err("less than is in force").to_string();
    assert!(text.contains("steering.toml:1:1: error: is in force and has gone"), "{text}");
    assert!(loaded.reread(&loaded.sources).is_ok(), "but no less than at the start");
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn of_a_gateway_toml_that_is_no_toml_only_that_is_told() {
    for (wrong, line) in [
        ("[gateway\norigin_host = \"d.ipx\"\npolicies = \"policies\"\n", 1),
        ("[gateway]\norigin_host = \"d.ipx\norigin_realm = \"ipx\"\n[[peer]]\n", 2),
        ("[gateway]\norigin_host =\npolicies = \"policies\"\n[[listen]]\n[peer]\n", 2),
    ] {
        let files = [("gateway.toml", wrong), ("other.toml", ""), ("routes.toml", "[[route]]\n")];
        let dir = folder("no-toml", &files);
        let mistakes =
            config::load(Some(&dir.join("gateway.toml")), &Words).expect_err("a mistake");
        let place = format!("gateway.toml:{line}:");
        let text = mistakes.to_string();
        assert!(mistakes.list.len() == 1 && text.contains(&place), "{wrong}\n{text}");
        std::fs::remove_dir_all(dir).expect("cleared");
    }
}

#[test]
fn an_answer_that_would_find_its_asker_suspected_is_warned_of() {
    let warnings = |diameter: &str| {
        let text = format!(
            "[gateway]\norigin_host = \"d.ipx\"\n[[listen]]\naddress = \"127.0.0.1:3868\"\n\
             [diameter]\n{diameter}"
        );
        let dir = folder("suspect", &[("gateway.toml", &text), ("routes.toml", "")]);
        let loaded = config::load(Some(&dir.join("gateway.toml")), &Words).expect("no mistake");
        std::fs::remove_dir_all(dir).expect("cleared");
        loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let told = warnings("watchdog_ms = 6000\nrequest_timeout_ms = 12001\n");
    let expected =
        "gateway.toml:7:22: warning: `request_timeout_ms` is more than twice `watchdog_ms`";
    assert!(told.contains(expected), "{told}");
    assert_eq!(warnings("watchdog_ms = 6000\nrequest_timeout_ms = 12000\n"), "");
}

#[test]
fn what_changed_in_gateway_toml_is_named_and_needs_a_restart() {
    let peer = |name: &str, host: &str| {
        format!(
            "[[peer]]\nname = \"{name}\"\norigin_host = \"{host}\"\naddresses = [\"127.0.0.1\"]\n"
        )
    };
    let start = "[gateway]\norigin_host = \"d.ipx\"\n[[listen]]\naddress = \"127.0.0.1:3868\"\n"
        .to_owned()
        + &peer("a", "a.ipx")
        + &peer("b", "b.ipx");
    let dir = folder("outdated", &[("gateway.toml", &start), ("routes.toml", "")]);
    let path = dir.join("gateway.toml");
    let loaded = config::load(Some(&path), &Words).expect("checks");
    let after = |text: &str| {
        std::fs::write(&path, text).expect("saved");
        loaded.outdated()
    };
    let none: [&str; 0] = [];
    assert_eq!(after(&start).expect("the same"), none);
    assert_eq!(after(&format!("# a word\n{start}")).expect("a comment"), none);
    let other = start.replace("3868", "3869").replace("a.ipx", "c.ipx").replace("\"b\"", "\"e\"");
    let changed = after(&format!("{other}[log]\nlevel = \"debug\"\n")).expect("checks");
    assert_eq!(changed, ["[[listen]]", "[log]", "peer `a`", "peer `e` (new)", "peer `b` (gone)"]);
    let text = after("[gateway]\norigin_host = 1\n").expect_err("a mistake").to_string();
    assert!(text.contains("gateway.toml:2:15: error"), "{text}");
    std::fs::remove_file(&path).expect("removed");
    assert!(loaded.outdated().expect_err("gone").to_string().contains("cannot be read"));
    std::fs::remove_dir_all(dir).expect("cleared");
}

#[test]
fn what_cannot_be_told_apart_on_the_ss7_side_is_a_mistake_with_its_place() {
    let gateway = r#"[gateway]
origin_host = "d.ipx"
[[listen]]
protocol = "m3ua"
address = "127.0.0.1:2905"
transport = "sctp-udp"
[ss7]
point_code = ["2-0-1", "2-0-2"]
[[peer]]
name = "a"
protocol = "m3ua"
role = "asp"
addresses = ["127.0.0.1"]
transport = "sctp-udp"
asp_identifier = 1
[[peer]]
name = "b"
protocol = "m3ua"
role = "asp"
addresses = ["127.0.0.1"]
transport = "sctp-udp"
asp_identifier = 2
[[server]]
name = "s"
routing_context = 1
point_code = "2-1-1"
peers = ["a"]
[[server]]
name = "t"
routing_context = 2
point_code = "2-2-1"
peers = ["b"]
"#;
    let titles = "[[title]]\nname = \"x\"\nprefix = [\"44\", \"49\"]\nto = \"s\"\nstrip = 2\n\
                  [[title]]\nname = \"y\"\nprefix = \"44\"\nssn = 6\nto = \"t\"\n";
    let told = |gateway: &str, titles: &str| {
        let files = [("gateway.toml", gateway), ("routes.toml", ""), ("titles.toml", titles)];
        let dir = folder("apart", &files);
        let told = match config::load(Some(&dir.join("gateway.toml")), &Words) {
            Ok(loaded) => {
                loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            Err(mistakes) => mistakes.to_string(),
        };
        std::fs::remove_dir_all(dir).expect("cleared");
        told
    };
    assert_eq!(told(gateway, titles), "");
    for (right, wrong, expected) in [
        ("r = 2", "r = 1", "gateway.toml:22:18: error: this is the ASP identifier of `a`"),
        ("asp_identifier = 2", "", "gateway.toml:16:1: error: `asp_identifier` is missing"),
        ("asp_identifier = 1", "", "gateway.toml:9:1: error: `asp_identifier` is missing"),
        ("2-2-1", "2-1-1", "gateway.toml:31:14: error: this is a point code of `s`"),
        ("2-2-1", "2-0-2", "gateway.toml:31:14: error: this is the gateway's own point code"),
    ] {
        let text = told(&gateway.replace(right, wrong), titles);
        assert!(text.contains(expected), "{wrong}\n{text}");
    }
    let beside_sg = gateway.replacen("\"asp\"", "\"sg\"", 1);
    assert_eq!(told(&beside_sg.replace("r = 2", "r = 1"), titles), "", "ours toward an SG");
    let text = told(&beside_sg.replace("asp_identifier = 2", ""), titles);
    assert!(text.contains("gateway.toml:16:1: error: `asp_identifier` is missing"), "{text}");
    let apart = gateway.replacen("127.0.0.1\"]", "127.0.0.2\"]", 1).replace("r = 2", "r = 1");
    assert_eq!(told(&apart, titles), "", "an identifier is known by its address");
    let text = told(gateway, &titles.replace("ssn = 6\n", ""));
    let expected = "titles.toml:6:1: error: this asks for the same as the title at ";
    assert!(text.contains(expected) && text.contains("titles.toml:1"), "{text}");
    let text = told(gateway, &titles.replace("strip = 2", "strip = 3"));
    let expected = "titles.toml:5:9: warning: `strip` is more than the 2 digits of the prefix";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn timers_of_sctp_are_held_to_their_ranges_and_to_each_other() {
    let load = |sctp: &str| {
        let text = format!(
            "[gateway]\norigin_host = \"d.ipx\"\n[[listen]]\naddress = \"127.0.0.1:3868\"\n\
             [sctp]\n{sctp}"
        );
        let dir = folder("sctp", &[("gateway.toml", &text), ("routes.toml", "")]);
        let loaded = config::load(Some(&dir.join("gateway.toml")), &Words);
        std::fs::remove_dir_all(dir).expect("cleared");
        loaded.map(|loaded| loaded.gateway.sctp).map_err(|mistakes| mistakes.to_string())
    };
    let read = load(
        "heartbeat_ms = 0\nrto_initial_ms = 300\nrto_min_ms = 100\nrto_max_ms = 900\n\
         path_retransmissions_max = 2\nassociation_retransmissions_max = 4\n",
    );
    let expected = config::SctpSettings {
        heartbeat_ms: 0,
        rto_initial_ms: 300,
        rto_min_ms: 100,
        rto_max_ms: 900,
        path_retransmissions_max: 2,
        association_retransmissions_max: 4,
    };
    assert_eq!(read.expect("no mistake"), expected);
    for (wrong, expected) in [
        ("rto_min_ms = 600\n", "gateway.toml:6:14: error: `rto_min_ms` is more than"),
        ("rto_initial_ms = 2001\n", "gateway.toml:6:18: error: `rto_initial_ms` is more than"),
        ("rto_max_ms = 499\n", "error: `rto_initial_ms` is more than `rto_max_ms`"),
        ("association_retransmissions_max = 0\n", "gateway.toml:6:35: error: "),
        ("rto_mim_ms = 200\n", "gateway.toml:6:1: error: unknown key `rto_mim_ms`"),
    ] {
        let text = load(wrong).expect_err("a mistake");
        assert!(text.contains(expected), "{wrong}\n{text}");
    }
}
