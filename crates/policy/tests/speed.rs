//! How long a decision takes. `cargo test --release -p policy --test speed -- --ignored --nocapture`
#![allow(clippy::disallowed_methods, reason = "a stopwatch needs a clock")]

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

/// Customers (each with two plans and a route) of the measured set.
const CUSTOMERS: usize = 300;
const ROUNDS: u64 = 2_000_000;

fn files() -> Vec<Source> {
    let (mut customers, mut plans) = (String::new(), String::new());
    let mut routes = String::from("[[group]]\nname = \"g\"\nmembers = [{ peer = \"p\" }]\n");
    for n in 0..CUSTOMERS {
        writeln!(customers, "[[customer]]\nname = \"c{n}\"\nimsi_prefixes = [\"21407{n:04}\"]")
            .expect("text");
        for (country, preferred) in [("GB", "23410"), ("FR", "20801")] {
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
    let context =
        policy::Context { symbols: &symbols, vocabulary: &words::Words, peers: None, groups: &[] };
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

#[test]
#[ignore = "a measurement, for release builds"]
fn a_decision_among_hundreds_of_plans_and_routes() {
    let setup = Setup {
        symbols: Symbols::default(),
        vocabulary: Arc::new(words::Words),
        peers: None,
        groups: Vec::new(),
        memory: Arc::new(Memory::new(policy::SUBSCRIBERS_MAX, 3)),
    };
    let started = Instant::now();
    let engine = Engine::new(&files(), setup).expect("right files");
    println!("compiling {CUSTOMERS} customers, plans and routes: {:?}", started.elapsed());
    let rules = engine.rules();
    for (what, act, visited, subscribers) in [
        ("authenticate, routed", Act::Authenticate, "23415", 1),
        ("register, preferred, routed", Act::Register, "23410", 1),
        ("register, steered, one subscriber", Act::Register, "23415", 1),
        ("register, steered, a million subscribers", Act::Register, "23415", 1_000_000_u64),
    ] {
        let realm = policy::standard_realm(visited.parse().expect("a PLMN"));
        let imsis: Vec<procedure::Imsi> = (0..subscribers)
            .map(|n| format!("21407{:04}{n:06}", n % CUSTOMERS as u64).parse().expect("an IMSI"))
            .collect();
        let probe = Probe {
            act,
            visited: visited.parse().ok(),
            origin_realm: Some(realm),
            destination_realm: Some("c7.example".to_owned()),
            ..Probe::default()
        };
        let mut procedure = probe.procedure();
        for warm in [true, false] {
            let started = Instant::now();
            for round in 0..ROUNDS {
                let place = (round.wrapping_mul(0x9e37_79b9) % subscribers) as usize;
                procedure.imsi = imsis.get(place).copied();
                procedure.exchange = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                black_box(rules.decide(Time::from_ms(1_000 + round / 100), black_box(&procedure)));
            }
            if !warm {
                println!("{what}: {} ns", started.elapsed().as_nanos() / u128::from(ROUNDS));
            }
        }
    }
    println!("{:?}", engine.memory().in_use());
}
