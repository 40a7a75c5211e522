//! Any lines as records: what comes out of a replay adds up.

use std::fmt::Write as _;
use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [3; 32];
const DAY_US: u64 = 1_767_600_000_000_000;

/// What is read from these records, in a folder of this test's own.
fn read(name: &str, records: &[u8], key: &Key) -> Result<Traffic, String> {
    let loaded = config::load(None, &stacks::vocabulary()).unwrap();
    let folder = std::env::temp_dir().join(format!("ipxctl-whatif-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut file = std::fs::File::create(folder.join("records.jsonl")).unwrap();
    file.write_all(records).unwrap();
    let traffic = records::read(&folder, &loaded.gateway, key);
    std::fs::remove_dir_all(&folder).unwrap();
    traffic
}

/// One record, with words of the schema in places of the test's choice.
#[derive(Clone, Debug)]
struct Wild {
    at_s: u32,
    who: u8,
    visited: &'static str,
    domain: &'static str,
    act: &'static str,
    end: &'static str,
    latency_us: u32,
    attempt: u8,
}

impl Wild {
    fn line(&self, key: &Key) -> String {
        let imsi: procedure::Imsi = format!("2140700000000{:02}", self.who).parse().unwrap();
        let subscriber = u128::from_be_bytes(key.pseudonym(imsi));
        let Self { at_s, visited, domain, act, end, latency_us, attempt, who } = self;
        let opened_us = DAY_US + u64::from(*at_s) * 1_000_000;
        let mut line = format!(
            "{{\"v\":1,\"opened_us\":{opened_us},\"latency_us\":{latency_us},\"stack\":\"ss7\",\
             \"worker\":0,\"exchange\":\"{:016x}\",\"from\":\"gb-23430-mme1\",\"sends\":1,\
             \"application\":1,\"operation\":2,\"act\":\"{act}\",\"domain\":\"{domain}\",\
             \"subscriber\":\"{subscriber:032x}\",\"home\":\"21407\",\"visited\":\"{visited}\",\
             \"request_octets\":1,\"answer_octets\":1,\"attempt\":{attempt}",
            u64::from(*at_s) << 8 | u64::from(*who),
        );
        let _ = match *end {
            "accepted" => write!(line, ",\"finish\":\"answered\",\"success\":true}}"),
            "expired" => write!(line, ",\"finish\":\"expired\",\"success\":false}}"),
            "relayed" => write!(
                line,
                ",\"finish\":\"answered\",\"success\":false,\"provenance\":\"relayed\",\"error\":34}}"
            ),
            own => write!(
                line,
                ",\"finish\":\"refused\",\"success\":false,\"provenance\":\"{own}\",\"error\":8}}"
            ),
        };
        line + "\n"
    }
}

fn wild() -> impl Strategy<Value = Wild> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    (
        0..4_000_u32,
        0..6_u8,
        word(&["23410", "23430", "23415", "20801", "310260", "310410", "99999"]),
        word(&["cs", "ps", "eps"]),
        word(&["register", "register", "register", "authenticate", "purge"]),
        word(&[
            "accepted",
            "accepted",
            "steering",
            "steering",
            "barring",
            "screening",
            "relayed",
            "expired",
            "limit",
        ]),
        0..900_000_u32,
        0..6_u8,
    )
        .prop_map(|(at_s, who, visited, domain, act, end, latency_us, attempt)| Wild {
            at_s,
            who,
            visited,
            domain,
            act,
            end,
            latency_us,
            attempt,
        })
}

/// Replays what is there under the shipped policies, in force and tried.
fn same(traffic: &Traffic, pct: u8) -> report::Report {
    let loaded = config::load(None, &stacks::vocabulary()).unwrap();
    let symbols = Symbols::default();
    let engine = || {
        let words = Arc::new(stacks::vocabulary());
        loaded.engine(symbols.clone(), words, SEED, DAY_US / 1_000_000).unwrap()
    };
    let moves = Moves::seen(traffic, engine().ruleset().compiled(), pct);
    let [in_force, tried] = [0, 1].map(|_| {
        let mut side = Side::new(engine(), traffic, &moves, DAY_US);
        side.run(Progress::new("replayed"));
        side
    });
    let replay = Replay { traffic, moves: &moves, moves_pct: pct, in_force, tried };
    let policies = Policies { in_force: String::new(), tried: String::new() };
    replay.report("here".to_owned(), policies, 5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_was_recorded_the_numbers_add_up(
        records in prop::collection::vec(wild(), 1..60),
        pct in 0..=100_u8,
    ) {
        let key = Key::new(KEY);
        let text: String = records.iter().map(|record| record.line(&key)).collect();
        let traffic = read("wild", text.as_bytes(), &key).unwrap();
        let input = traffic.reading.clone();
        prop_assert_eq!(input.unread, 0);
        prop_assert_eq!(input.records, records.len() as u64);
        prop_assert_eq!(input.registrations, traffic.events.len() as u64 + input.screened);
        let report = same(&traffic, pct);
        prop_assert_eq!(report.newly_refused + report.no_longer_refused, 0);
        let (a, b) = (&report.in_force, &report.tried);
        prop_assert_eq!(serde_json::to_string(a).unwrap(), serde_json::to_string(b).unwrap());
        // Every registration was replayed or passed over, and every made-up one follows a refused one.
        prop_assert_eq!(a.registrations + a.passed_over, traffic.events.len() as u64 + a.made_up);
        prop_assert!(a.made_up <= a.refused_by_steering);
        prop_assert_eq!(a.given_up, 0, "everybody is let in some time");
        prop_assert!(a.accepted + a.refused_by_steering + a.barred + a.screened <= a.registrations);
        let of_groups: u64 = report.groups.iter().map(|group| group.tried.refused).sum();
        prop_assert_eq!(of_groups, a.refused_by_steering);
        let table = table::table(&report);
        prop_assert!(!table.contains("21407000000"), "{}", table);
    }

    #[test]
    fn any_bytes_as_records(
        records in prop::collection::vec(wild(), 1..12),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
    ) {
        let key = Key::new(KEY);
        let mut text: Vec<u8> =
            records.iter().flat_map(|record| record.line(&key).into_bytes()).collect();
        for (place, octet) in &damage {
            let place = place.index(text.len());
            text[place] = *octet;
        }
        if let Ok(traffic) = read("any", &text, &key)
            && !traffic.events.is_empty()
        {
            let report = same(&traffic, 50);
            prop_assert!(!table::table(&report).is_empty());
        }
    }
}
