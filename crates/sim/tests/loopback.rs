//! The simulated peers against each other, without a gateway between them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sim::hss::{Hss, HssConfig, HssCounters, Subscribers};
use sim::mme::{Live, Load, MmeConfig, Procedure, run};
use sim::roaming::{Access, Customer, Roamers, RoamersConfig, RoamersSnapshot, VisitedNetwork};
use sim::{Identity, ImsiRange, Plmn, Stop, StopHandle};

const HSS: &str = "hss1.epc.mnc007.mcc214.3gppnetwork.org";

struct Running {
    at: SocketAddr,
    counters: HssCounters,
    handle: StopHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

#[expect(clippy::disallowed_methods, reason = "an HSS on a thread of its own")]
fn start(mut config: HssConfig) -> Running {
    config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    let hss = Hss::bind(config).unwrap();
    let (at, counters) = (hss.addresses().unwrap()[0], hss.counters());
    let (handle, stop) = sim::stop();
    let thread = std::thread::spawn(move || block_on(hss.run(stop)));
    Running { at, counters, handle, thread }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

impl Running {
    fn finish(self) -> HssCounters {
        self.handle.stop();
        self.thread.join().unwrap().unwrap();
        self.counters
    }
}

fn load(to: SocketAddr) -> MmeConfig {
    let imsi: ImsiRange = "214070000000000..214070000000999".parse().unwrap();
    let host = "mme1.epc.mnc010.mcc234.3gppnetwork.org";
    let mut config = MmeConfig::new(to, host, imsi, "23410".parse().unwrap());
    config.destination_realm = "epc.mnc007.mcc214.3gppnetwork.org".into();
    config
}

fn go(config: MmeConfig) -> sim::tally::Report {
    let (_handle, stop): (_, Stop) = sim::stop();
    run(config, &stop, Arc::new(Live::default())).unwrap()
}

#[test]
fn twenty_thousand_transactions_and_none_lost() {
    let hss = start(HssConfig::new(HSS));
    let mut config = load(hss.at);
    config.connections = 4;
    config.threads = 2;
    config.load = Load::Window(256);
    config.count = Some(20_000);
    config.procedure = Procedure::Mix;
    let report = go(config);
    let seen = hss.finish().snapshot();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.answers.get("2001"), Some(&20_000));
    assert_eq!(seen.requests.values().sum::<u64>(), 20_000);
    assert_eq!((seen.opened, seen.open), (4, 0));
    assert_eq!((seen.duplicates_flagged, seen.duplicates_unflagged, seen.malformed), (0, 0, 0));
}

#[test]
fn refusals_come_as_the_home_was_told() {
    let mut config = HssConfig::new(HSS);
    config.subscribers = Subscribers::Prefixes(vec!["2140700000005".into()]);
    config.rejects = vec![("23410".parse().unwrap(), 5420)];
    let hss = start(config);
    let mut config = load(hss.at);
    config.count = Some(1_000);
    let report = go(config);
    hss.finish();
    // IMSIs 500 to 599 are known, and rejected; the others are not.
    assert_eq!(report.answers.get("exp:5420"), Some(&100));
    assert_eq!(report.answers.get("exp:5001"), Some(&900));
    assert!(report.is_clean());
}

#[test]
fn an_open_loop_keeps_its_rate_and_a_home_over_capacity_says_so() {
    let mut config = HssConfig::new(HSS);
    config.capacity = Some(500);
    config.delay = Duration::from_millis(5);
    let hss = start(config);
    let mut config = load(hss.at);
    config.load = Load::Rate(2_000.0);
    config.procedure = Procedure::Attach;
    config.duration = Some(Duration::from_millis(500));
    let report = go(config);
    hss.finish();
    assert!(report.is_clean(), "{report}");
    assert!((900..2_100).contains(&report.transactions), "{report}");
    assert!(report.answers.get("3004").is_some_and(|n| *n > 300), "{report}");
    assert!(report.p50_us >= 5_000.0, "{report}");
}

fn network(name: &str, plmn: &str, country: &str) -> VisitedNetwork {
    let plmn: Plmn = plmn.parse().unwrap();
    VisitedNetwork {
        name: name.into(),
        plmn,
        country: country.into(),
        access: Access::Mme {
            identity: Identity::new(&format!("mme1.{}", plmn.realm())),
            source_ip: None,
        },
        signal: 1.0,
    }
}

fn roam(at: SocketAddr) -> RoamersSnapshot {
    let networks = vec![
        network("O2 UK", "23410", "GB"),
        network("Vodafone UK", "23415", "GB"),
        network("Orange F", "20801", "FR"),
    ];
    let customer = Customer {
        name: "Movistar".into(),
        realm: Some("epc.mnc007.mcc214.3gppnetwork.org".into()),
        title: None,
        imsi: ImsiRange::of_prefix("21407", 200).unwrap(),
        countries: vec!["GB".into(), "FR".into()],
        preferred: vec!["23410".parse().unwrap()],
    };
    let mut config = RoamersConfig::new(at, networks, vec![customer]);
    config.attaches_per_second = 1_000.0;
    config.settled = Duration::from_millis(200);
    config.retry = Duration::from_millis(5);
    config.tries = 4;
    config.silent_share = 0.5;
    let roamers = Roamers::new(config).unwrap();
    let counters = roamers.counters();
    block_on(async {
        let (handle, stop) = sim::stop();
        let running = tokio::spawn(roamers.run(stop));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        handle.stop();
        running.await.unwrap().unwrap();
    });
    counters.snapshot()
}

#[test]
fn handsets_attach_move_on_when_refused_settle_and_leave() {
    let mut config = HssConfig::new(HSS);
    config.rejects = vec![("23415".parse().unwrap(), 5004)];
    config.cancel = true;
    let hss = start(config);
    let seen = roam(hss.at);
    let home = hss.finish().snapshot();
    assert!(seen.total.report.is_clean(), "{seen:?}");
    assert!(seen.total.registered > 300, "{seen:?}");
    assert!(seen.total.refusals.contains_key("exp:5004"), "{seen:?}");
    // Moving handsets succeed on their second try; sticky ones on the refusing network give up.
    assert!(seen.tries.len() >= 2 && seen.abandoned > 0, "{seen:?}");
    // The only other network in the country is the preferred one.
    assert!((seen.total.preferred_share - 1.0).abs() < 1e-9, "{seen:?}");
    assert_eq!(seen.networks[1].registered, 0);
    assert_eq!(home.registrations, seen.total.registered);
    assert!(home.requests.contains_key("PUR"));
    assert_eq!(seen.total.report.transactions, home.requests.values().sum::<u64>());
}
