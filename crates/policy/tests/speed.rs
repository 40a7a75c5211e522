//! How long a decision takes. `cargo test --release -p policy --test speed -- --ignored --nocapture`
#![allow(clippy::disallowed_methods, reason = "a stopwatch needs a clock")]
#![allow(clippy::indexing_slicing, reason = "places that are there")]

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use policy::{Engine, Memory, Probe, Setup, Source};
use procedure::{Act, Policy as _, Symbols, Time};

/// Customers, each with a plan in each of these countries, and a route.
const CUSTOMERS: usize = 500;
const COUNTRIES: [(&str, &str, &str); 20] = [
    ("GB", "23410", "23415"),
    ("FR", "20801", "20810"),
    ("DE", "26201", "26202"),
    ("IT", "22201", "22210"),
    ("NL", "20404", "20408"),
    ("PT", "26801", "26803"),
    ("CH", "22801", "22802"),
    ("AT", "23201", "23203"),
    ("PL", "26001", "26002"),
    ("SE", "24001", "24007"),
    ("NO", "24201", "24202"),
    ("FI", "24405", "24491"),
    ("DK", "23801", "23802"),
    ("GR", "20201", "20205"),
    ("BE", "20601", "20610"),
    ("HU", "21601", "21630"),
    ("CZ", "23001", "23002"),
    ("RO", "22601", "22610"),
    ("TR", "28601", "28602"),
    ("MX", "334020", "334050"),
];
/// Subscribers that are known before anything is measured.
const SUBSCRIBERS: u64 = 10_000_000;
const ROUNDS: u64 = 2_000_000;

fn files() -> Vec<Source> {
    let (mut customers, mut plans) = (String::new(), String::new());
    let mut routes = String::from("[[group]]\nname = \"g\"\nmembers = [{ peer = \"p\" }]\n");
    for n in 0..CUSTOMERS {
        writeln!(customers, "[[customer]]\nname = \"c{n}\"\nimsi_prefixes = [\"21407{n:03}\"]")
            .expect("text");
        for (country, preferred, _) in COUNTRIES {
            writeln!(plans, "[[plan]]\nname = \"p{n}-{country}\"\ncustomer = \"c{n}\"\ncountry = \"{country}\"\npreferred = [\"{preferred}\"]").expect("text");
        }
        writeln!(
            routes,
            "[[route]]\nname = \"r{n}\"\ndestination_realm = \"c{n}.example\"\nto = \"g\""
        )
        .expect("text");
    }
    vec![
        Source::new("customers.toml", customers),
        Source::new("steering.toml", plans),
        Source::new("routes.toml", routes),
    ]
}

/// A subscriber by number, and where they are.
fn subscriber(n: u64) -> (procedure::Imsi, usize) {
    let mut digits = *b"214070000000000";
    let mut rest = n / CUSTOMERS as u64;
    let mut customer = n % CUSTOMERS as u64;
    for place in (5..8).rev() {
        digits[place] = b'0' + (customer % 10) as u8;
        customer /= 10;
    }
    for place in (8..15).rev() {
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    (procedure::Imsi::from_ascii(&digits).expect("an IMSI"), (n % 7 + n % 13) as usize)
}

#[test]
#[ignore = "a measurement, for release builds"]
fn the_network_of_a_number_among_thousands_of_prefixes() {
    let prefix = |n: usize| match n % 3 {
        0 => format!("44{:03}", n / 3),
        1 => format!("1{n:06}"),
        _ => format!("49{n:05}"),
    };
    let mut text = String::new();
    for n in 0..2400 {
        let mcc = 200 + n / 100;
        writeln!(text, "[[network]]\nplmn = \"{mcc}{:02}\"\ntitles = \"{}\"", n % 100, prefix(n))
            .expect("text");
    }
    let sources = [Source::new("networks.toml", text)];
    let symbols = Symbols::default();
    let context = policy::Context {
        symbols: &symbols,
        vocabulary: &words::Words,
        peers: None,
        groups: &[],
        started_unix_s: 0,
    };
    let compiled = policy::compile(&sources, &context).expect("right files");
    let numbers: Vec<procedure::Digits> =
        (0..2400).map(|n| format!("{}002505", prefix(n)).parse().expect("digits")).collect();
    let networks = compiled.networks();
    for warm in [true, false] {
        let started = Instant::now();
        for round in 0..ROUNDS {
            let number = numbers[(round.wrapping_mul(0x9e37_79b9) % 2400) as usize];
            assert!(black_box(networks.of_title(black_box(number))).is_some());
        }
        let each = started.elapsed().as_nanos() as f64 / ROUNDS as f64;
        if !warm {
            println!("the network of a number: {each:.1} ns");
            assert!(each < 50.0, "{each} ns");
        }
    }
}

/// Nanoseconds of single decisions: median and the 99th of a hundred, without the clock's own.
fn measure(rules: &dyn procedure::Rules, act: Act, steered: bool, known: u64) -> (u64, u64) {
    let probe = Probe {
        act,
        origin_realm: Some("hub.example".to_owned()),
        destination_realm: Some("c7.example".to_owned()),
        ..Probe::default()
    };
    let mut procedure = probe.procedure();
    let visited = COUNTRIES.map(|(_, preferred, other)| {
        (if steered { other } else { preferred }).parse().expect("a PLMN")
    });
    let mut took = Vec::with_capacity(ROUNDS as usize);
    let mut clock = Vec::with_capacity(ROUNDS as usize);
    for round in 0..ROUNDS {
        let (imsi, place) = subscriber(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % known);
        procedure.imsi = Some(imsi);
        procedure.visited = Some(visited[place]);
        procedure.exchange = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let empty = Instant::now();
        clock.push(empty.elapsed().as_nanos() as u64);
        let started = Instant::now();
        let now = Time::from_ms(200_000 + round / 100);
        let decision = black_box(rules.decide(now, black_box(&procedure)));
        took.push(started.elapsed().as_nanos() as u64);
        assert_eq!(decision.preferred, (act == Act::Register).then_some(!steered));
    }
    took.sort_unstable();
    clock.sort_unstable();
    let none = clock[clock.len() / 2];
    let at = |share: usize| took[took.len() * share / 100] - none;
    (at(50), at(99))
}

#[test]
#[ignore = "a measurement, for release builds"]
fn a_decision_among_ten_thousand_plans_and_ten_million_subscribers() {
    let setup = Setup {
        symbols: Symbols::default(),
        vocabulary: Arc::new(words::Words),
        peers: None,
        groups: Vec::new(),
        memory: Arc::new(Memory::new(2 * SUBSCRIBERS as usize, 3)),
        started_unix_s: 0,
    };
    let started = Instant::now();
    let engine = Engine::new(&files(), setup).expect("right files");
    println!("compiling {:?} took {:?}", engine.ruleset().compiled().counts(), started.elapsed());
    let rules = engine.rules();
    let report = |what: &str, (median, p99): (u64, u64)| {
        println!("{what}: median {median} ns, p99 {p99} ns");
        median
    };
    report("authenticate, routed", measure(&*rules, Act::Authenticate, true, SUBSCRIBERS));
    report("register, preferred, routed", measure(&*rules, Act::Register, false, SUBSCRIBERS));
    report("register, steered, one subscriber", measure(&*rules, Act::Register, true, 1));
    let started = Instant::now();
    let probe = Probe { origin_realm: Some("x.example".to_owned()), ..Probe::default() };
    let mut procedure = probe.procedure();
    for n in 0..SUBSCRIBERS {
        let (imsi, place) = subscriber(n);
        procedure.imsi = Some(imsi);
        procedure.visited = COUNTRIES[place].2.parse().ok();
        procedure.exchange = n.wrapping_mul(0xd6e8_feb8_6659_fd93) | 1;
        black_box(rules.decide(Time::from_ms(1_000 + n / 100), &procedure));
    }
    let used = engine.memory().in_use();
    println!("{SUBSCRIBERS} subscribers became known in {:?}: {used:?}", started.elapsed());
    let octets = used.octets as f64 / used.subscribers as f64;
    println!("octets a subscriber, all in: {octets:.1}");
    assert!(octets <= 64.0, "{octets}");
    let known = measure(&*rules, Act::Register, true, SUBSCRIBERS);
    let median = report("register, steered, one of all subscribers", known);
    assert!(median < 300, "{median} ns");
}
