//! What an operator sees: the real programs, real sockets, files that are edited and broken.
#![allow(missing_docs, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

mod collision;
mod failover;
mod reload;
mod restart;
mod steering;
mod tls;
mod tools;
mod whatif;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::hss::{Hss, HssConfig, HssCounters};
use sim::mme::{Live, Load, MmeConfig, Procedure};
use sim::tally::Report;
use sim::{ImsiRange, StopHandle};
use tests::daemon::Daemon;
use tests::world::{HOME_REALM, Neighbour, VISITED_REALM, gateway_toml, imsi, write_policies};

const HSS: &str = "hss1.home.lab";
const MME: &str = "mme1.visited.lab";
const UP_WITHIN: Duration = Duration::from_secs(10);

/// A gateway between one home and one visited operator, on ports of its own.
struct Stage {
    daemon: Daemon,
    home: Home,
}

/// A running HSS; it parts when it goes out of scope.
struct Home {
    counters: HssCounters,
    _stop: StopHandle,
}

impl Stage {
    fn new(folder: &Path) -> Self {
        write_policies(&folder.join("policies"), &[HSS]);
        let neighbours = [HSS, MME].map(|host| Neighbour { host, connect: None });
        let text = gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, "");
        let daemon = Daemon::start(folder, &text);
        let home = Home::connect(daemon.listen());
        daemon.wait_up(&[HSS], UP_WITHIN);
        Self { daemon, home }
    }

    /// One subscriber tries `count` times, one after the other; the answers by code.
    fn register(&self, subscriber: u64, count: u64, visited: &str) -> Report {
        ask(self.daemon.listen(), subscriber, count, visited)
    }
}

impl Home {
    fn connect(gateway: std::net::SocketAddr) -> Self {
        Self::named(HSS, gateway)
    }

    fn named(host: &str, gateway: std::net::SocketAddr) -> Self {
        let mut config = HssConfig::new(host);
        config.connect = vec![gateway];
        let hss = Hss::bind(config).unwrap();
        let counters = hss.counters();
        let (handle, stop) = sim::stop();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(hss.run(stop))
        });
        Self { counters, _stop: handle }
    }
}

fn ask(gateway: std::net::SocketAddr, subscriber: u64, count: u64, visited: &str) -> Report {
    let range: ImsiRange = format!("{0}..{0}", imsi(subscriber)).parse().unwrap();
    let mut config = MmeConfig::new(gateway, MME, range, visited.parse().unwrap());
    config.destination_realm = HOME_REALM.into();
    config.load = Load::Window(1);
    config.count = Some(count);
    config.procedure = Procedure::Ulr;
    let (_handle, stop) = sim::stop();
    let report = sim::mme::run(config, &stop, Arc::<Live>::default()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.answered, count, "every request is answered: {report}");
    assert!(MME.ends_with(VISITED_REALM));
    report
}

fn answers(report: &Report) -> Vec<(&str, u64)> {
    report.answers.iter().map(|(code, count)| (code.as_str(), *count)).collect()
}
