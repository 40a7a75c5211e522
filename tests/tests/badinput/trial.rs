//! A running gateway with a well-behaved pair that keeps asking and answering beside the trouble.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::diameter::parse::{Message, Outcome};
use tests::children::eventually;
use tests::daemon::Daemon;
use tests::world::{self, Neighbour};

use crate::raw::{self, PATIENCE, Raw};

pub(crate) const GOOD_MME: &str = "mme1.visited.lab";
pub(crate) const GOOD_HSS: &str = "hss1.home.lab";
/// Configured peers that behave badly.
pub(crate) const BAD_MME: &str = "mme9.visited.lab";
pub(crate) const BAD_HSS: &str = "hss9.home.lab";

/// How often the good pair has an exchange.
const PACE: Duration = Duration::from_millis(5);
/// What the slowest exchange of a hundred may take. Two busy cores do other things as well.
const P99: Duration = Duration::from_millis(250);
/// What memory may grow by: every named limit of one bad link together fits.
const GROWTH_KIB: u64 = 96 << 10;

pub(crate) struct Trial {
    pub(crate) daemon: Daemon,
    resident_kib: u64,
    over: Arc<AtomicBool>,
    asker: JoinHandle<Vec<Duration>>,
    answerer: JoinHandle<()>,
}

impl Trial {
    pub(crate) fn new(test: &str) -> Self {
        let folder = tests::scratch(test);
        let neighbours =
            [GOOD_MME, GOOD_HSS, BAD_MME, BAD_HSS].map(|host| Neighbour { host, connect: None });
        let config = world::gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, "");
        world::write_policies(&folder.join("policies"), &[GOOD_HSS]);
        let daemon = Daemon::start(&folder, &config);
        let to = daemon.listen();
        let over = Arc::new(AtomicBool::new(false));
        let answerer = std::thread::spawn(move || answer(to));
        daemon.wait_up(&[GOOD_HSS], PATIENCE);
        let ended = Arc::clone(&over);
        let asker = std::thread::spawn(move || ask(to, &ended));
        daemon.wait_up(&[GOOD_MME], PATIENCE);
        // Everything that is made once has been made before memory is looked at.
        std::thread::sleep(Duration::from_millis(200));
        let resident_kib = daemon.resident_kib();
        Self { daemon, resident_kib, over, asker, answerer }
    }

    pub(crate) fn to(&self) -> SocketAddr {
        self.daemon.listen()
    }

    /// Waits for a record that `wanted` likes.
    pub(crate) fn record(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(PATIENCE, || self.daemon.records().into_iter().find(&wanted));
        found.unwrap_or_else(|| panic!("no record of {what}: {}", self.daemon.log()))
    }

    /// Waits for the record of a frame that could not be read because of `why`.
    pub(crate) fn malformed(&self, why: &str) {
        let wanted =
            |record: &Value| record["finish"] == "malformed" && record["malformed_why"] == why;
        let record = self.record(why, wanted);
        assert_eq!(record["provenance"], "protocol", "{record:#}");
        let metrics = self.daemon.get("/metrics").expect("metrics");
        assert!(metrics.contains("malformed"), "a reason is counted: {metrics}");
    }

    /// How many callers the door has turned away for reasons that `wanted` likes.
    pub(crate) fn door(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        let peers = self.daemon.peers();
        let door = peers["door"].as_object().expect("the door's counters").clone();
        let counted = door.iter().filter(|(why, _)| wanted(why));
        counted.filter_map(|(_, count)| count.as_u64()).sum()
    }

    /// One counter of a peer.
    pub(crate) fn counter(&self, host: &str, name: &str) -> u64 {
        let peers = self.daemon.peers();
        let list = peers["peers"].as_array().expect("peers");
        let peer = list.iter().find(|peer| peer["name"] == *host).expect("the peer");
        peer["counters"][name].as_u64().expect("a counter")
    }

    /// Nothing has crashed or grown, and the good pair never noticed.
    pub(crate) fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        let mut took = self.asker.join().expect("the good MME was answered every time");
        self.daemon.assert_alive();
        let grown = self.daemon.resident_kib().saturating_sub(self.resident_kib);
        took.sort_unstable();
        let p99 = took[took.len() * 99 / 100];
        println!("{} good exchanges, p99 {p99:?}, memory +{grown} KiB", took.len());
        assert!(took.len() >= 20, "the good pair was at work: {}", took.len());
        assert!(p99 < P99, "the good pair waited {p99:?}");
        assert!(grown < GROWTH_KIB, "memory grew by {grown} KiB");
        drop(self.daemon);
        self.answerer.join().expect("the good HSS was never confused");
    }
}

/// The good HSS, until the gateway goes.
fn answer(to: SocketAddr) {
    let mut hss = Raw::introduced(to, GOOD_HSS);
    hss.stream.set_read_timeout(None).unwrap();
    while let Some(request) = hss.frame() {
        assert!(Message::parse(&request).unwrap().is_request());
        let answer = raw::accept(GOOD_HSS, &request);
        if std::io::Write::write_all(&mut hss.stream, &answer).is_err() {
            return;
        }
    }
}

/// The good MME: one exchange after the other; what each took.
fn ask(to: SocketAddr, over: &AtomicBool) -> Vec<Duration> {
    let mut mme = Raw::introduced(to, GOOD_MME);
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let request = mme.ulr();
        let start = Instant::now();
        mme.send(&request);
        let answer = mme.frame().expect("the gateway stays");
        took.push(start.elapsed());
        let [asked, answered] = [&request, &answer].map(|frame| Message::parse(frame).unwrap());
        assert_eq!(asked.hop_by_hop, answered.hop_by_hop);
        assert_eq!(raw::outcome(&answer), Outcome::Base(2001));
        std::thread::sleep(PACE);
    }
    mme.leave();
    took
}
