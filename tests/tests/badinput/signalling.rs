//! The same for SS7: what one ASP says or leaves unsaid costs nobody else anything.

use std::future::poll_fn;
use std::net::UdpSocket;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sctp::{Peer, Refused};
use serde_json::Value;
use sim::mme::{Live, Load};
use sim::ss7::asp::AspConfig;
use sim::ss7::hlr::Hlr;
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::ss7::load::{VisitedConfig, VisitedReport, run};
use sim::ss7::visited::{Identity, Role};
use sim::{Stop, StopHandle};
use ss7::view::m3ua::{Kind, Message, Writer, tag};
use tests::asp::{
    Asp, GATEWAY, HERE, IBERIA_HLR, OTHER_GB, PORT, PREFERRED_FR, RHINE_HLR, Seat, part, register,
    start, title, unitdata,
};
use tests::children::eventually;
use tests::daemon::Daemon;

use crate::raw::PATIENCE;

/// What the slowest dialogue of a hundred may take: each has six messages through twelve threads, next
/// to other tests. The flood keeps both cores busy by itself; with one queue for all associations it
/// was over six seconds. What memory may grow by.
const P99: Duration = Duration::from_millis(500);
const P99_IN_A_FLOOD: Duration = Duration::from_millis(3_000);
const GROWTH_KIB: u64 = 160 << 10;

/// A gateway with a VLR and an HLR that go on asking and answering beside the trouble.
struct Trial {
    daemon: Daemon,
    port: u16,
    resident_kib: u64,
    stops: [StopHandle; 2],
    home: JoinHandle<()>,
    visited: JoinHandle<VisitedReport>,
}

fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn link(port: u16, seat: Seat) -> LinkConfig {
    let gateway = Peer { addresses: vec![HERE], port: PORT, encapsulation_port: port };
    let mut asp = AspConfig::new(seat.code.0, GATEWAY.0);
    (asp.routing_context, asp.asp_id) = (Some(seat.context), Some(seat.identifier));
    LinkConfig::new(gateway, asp)
}

fn home(port: u16, stop: Stop) {
    let hlr = Hlr::new(HomeConfig::new("34609000001"), link(port, IBERIA_HLR), PATIENCE);
    event_loop().block_on(hlr.run(stop)).unwrap();
}

fn visited(port: u16, stop: Stop) -> VisitedReport {
    let mut identity = Identity::new(Role::Vlr, "33689000001");
    identity.titles = vec!["21407=34609".parse().unwrap()];
    let imsi = "214070000100000..214070000199999".parse().unwrap();
    let mut config = VisitedConfig::new(identity, link(port, PREFERRED_FR), imsi);
    config.load = Load::Rate(200.0);
    config.duration = Some(Duration::from_secs(120));
    event_loop().block_on(run(config, stop, Arc::new(Live::default()))).unwrap()
}

impl Trial {
    fn new(test: &str) -> Self {
        let (daemon, port) = start(test);
        let [(home_stops, home_stop), (stops, stop)] = [sim::stop(), sim::stop()];
        let home = std::thread::spawn(move || home(port, home_stop));
        daemon.wait_up(&["iberia-hlr1"], PATIENCE);
        let visited = std::thread::spawn(move || visited(port, stop));
        daemon.wait_up(&["fr-20801-stp1"], PATIENCE);
        // Everything that is made once has been made before memory is looked at.
        std::thread::sleep(Duration::from_millis(300));
        let resident_kib = daemon.resident_kib();
        Self { daemon, port, resident_kib, stops: [home_stops, stops], home, visited }
    }

    /// Waits for a record that `wanted` likes.
    fn record(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let found = eventually(PATIENCE, || self.daemon.records().into_iter().find(&wanted));
        assert!(found.is_some(), "no record of {what}: {}", self.daemon.log());
    }

    fn end(mut self, p99: Duration) {
        let [home, visited] = &self.stops;
        visited.stop();
        let seen = self.visited.join().expect("the good VLR was not confused");
        home.stop();
        self.home.join().expect("the good HLR was not confused");
        self.daemon.assert_alive();
        let grown = self.daemon.resident_kib().saturating_sub(self.resident_kib);
        let report = &seen.report;
        println!("{} good dialogues, p99 {} us, +{grown} KiB", report.answered, report.p99_us);
        assert!(report.answered >= 50 && report.is_clean(), "{report:?}");
        assert!(seen.faults.is_empty(), "{:?}", seen.faults);
        assert_eq!(seen.outcomes.total(), report.answered, "none was steered");
        let waited = Duration::from_secs_f64(report.p99_us / 1e6);
        assert!(waited < p99, "the good pair waited {waited:?}");
        assert!(grown < GROWTH_KIB, "memory grew by {grown} KiB");
    }
}

/// TCAP that is deep, endless, cut or crowded, and SCCP whose pointers lie.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    let (vlr, hlr) = (title(7, 1, "447953000001"), title(6, 7, "346090000000001"));
    let sound = register(2, 9);
    let udt = |tcap: &[u8]| unitdata(&hlr, &vlr, tcap);
    let wrong = |at: usize, value: u8| {
        let mut unit = udt(&sound);
        unit[at] = value;
        unit
    };
    let nested = (0..100).flat_map(|_| [0xa1, 0x80]).collect::<Vec<u8>>();
    let invoke = part(0xa1, &[2, 1, 1, 2, 1, 67]);
    let crowd = (0..24).flat_map(|_| invoke.clone()).collect::<Vec<u8>>();
    let crowd = [&[0x6c, 0x81, u8::try_from(crowd.len()).unwrap()][..], &crowd].concat();
    vec![
        ("cut", udt(&sound[..sound.len() - 5])),
        ("endless", udt(&[&[0x62, 0x80, 0x48, 4, 0, 0, 0, 9, 0x6c, 0x80][..], &nested].concat())),
        ("a length of lengths", udt(&[0x62, 0x84, 0xff, 0xff, 0xff, 0xff])),
        ("no transaction", udt(&part(0x62, &crowd[..100]))),
        ("nothing", udt(&[])),
        ("a pointer past the end", wrong(2, 0xff)),
        ("pointers to one place", wrong(3, 2)),
        ("an address longer than the message", wrong(5, 0xfe)),
        ("a kind that is none", wrong(0, 0x55)),
    ]
}

#[test]
fn what_cannot_be_read_costs_only_itself() {
    let trial = Trial::new("signalling_unreadable");
    event_loop().block_on(async {
        let mut bad = Asp::join(trial.port, OTHER_GB).await;
        let (vlr, hlr) = (title(7, 1, "447953000001"), title(6, 7, "346090000000001"));
        for (number, (what, unit)) in (0..).zip(unreadable()) {
            let malformed = |trial: &Trial| {
                let records = trial.daemon.records();
                records.iter().filter(|record| record["finish"] == "malformed").count()
            };
            let before = malformed(&trial);
            bad.transfer(&unit);
            // The next one is read, decided on and answered as if nothing had been.
            bad.data(&hlr, &vlr, &register(2, 0x10 + number));
            let otid = [0x49, 4, 0, 0, 0, 0x10 + number];
            while !bad.tcap().await.windows(6).any(|found| found == otid) {}
            let counted = || (malformed(&trial) > before).then_some(());
            assert!(eventually(PATIENCE, counted).is_some(), "{what} is recorded");
        }
        // Messages that M3UA does not know, and one with parameters that it does not know.
        for kind in [Kind(0, 9), Kind(5, 1), Kind(200, 200)] {
            let mut message = Vec::new();
            let _ = Writer::new(&mut message, kind);
            bad.say(&message);
            bad.hear(Kind::ERROR).await;
        }
        let mut strange = Vec::new();
        let _ = Writer::new(&mut strange, Kind::BEAT)
            .parameter(0xfff0, b"unknown")
            .parameter(tag::HEARTBEAT_DATA, b"known");
        bad.say(&strange);
        bad.hear(Kind::BEAT_ACK).await;
    });
    let metrics = trial.daemon.get("/metrics").expect("metrics");
    for layer in ["sccp", "tcap"] {
        let counted = format!("ipx_malformed_total{{layer=\"{layer}\"");
        assert!(metrics.contains(&counted), "{layer} in {metrics}");
    }
    trial.end(P99);
}

#[test]
fn asps_that_come_twice_flap_and_claim_what_is_not_theirs() {
    let trial = Trial::new("signalling_flapping");
    event_loop().block_on(async {
        let mut bad = Asp::join(trial.port, OTHER_GB).await;
        bad.active(IBERIA_HLR.context);
        let error = bad.hear(Kind::ERROR).await;
        let error = Message::new(&error).unwrap();
        let code = error.find(tag::ERROR_CODE).and_then(|code| code.number());
        //= RFC 4666 §3.8.1
        assert_eq!(code, Some(0x19), "an invalid routing context");
        // A second association under the name of one that lives gets nowhere.
        let mut twice = Asp::connect(trial.port, IBERIA_HLR).await;
        twice.up();
        twice.active(IBERIA_HLR.context);
        let over = async {
            loop {
                let event = poll_fn(|cx| twice.association.poll_event(cx)).await;
                if let sctp::Event::Down { .. } = event {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, over).await.expect("the second one is turned away");
        for _ in 0..50 {
            bad.up();
            bad.hear(Kind::ASP_UP_ACK).await;
            bad.active(OTHER_GB.context);
            bad.hear(Kind::ASP_ACTIVE_ACK).await;
        }
        drop(bad);
        for _ in 0..20 {
            drop(Asp::join(trial.port, OTHER_GB).await);
        }
    });
    trial.end(P99);
}

/// An HLR that never reads, while a visited network floods it.
#[test]
fn an_association_that_stops_reading_holds_nobody_up() {
    let trial = Trial::new("signalling_deaf");
    event_loop().block_on(async {
        let deaf = Asp::join(trial.port, RHINE_HLR).await;
        let mut flood = Asp::join(trial.port, OTHER_GB).await;
        // Of a network that the customer prefers: nothing is refused for steering.
        let imsi = part(4, &[0x62, 0x02, 0x01, 0, 0, 0, 0, 0xf1]);
        let (vlr, hlr) = (title(7, 1, "447953000001"), title(6, 7, "491710000000001"));
        let purge = part(0x6c, &part(0xa1, &[&[2, 1, 1, 2, 1, 67][..], &imsi].concat()));
        let (until, mut sent) = (Instant::now() + Duration::from_secs(40), 0_u32);
        let (mut next, mut refused) = (Vec::new(), 0);
        // Until something is full, and a little longer.
        while Instant::now() < until && refused < 5_000 {
            if next.is_empty() {
                let otid = [&[0x48, 4][..], &sent.to_be_bytes()].concat();
                next = flood.wrapped(&unitdata(
                    &hlr,
                    &vlr,
                    &part(0x62, &[&otid[..], &purge].concat()),
                ));
            }
            match flood.association.try_send(1, 3, &next) {
                Ok(()) => {
                    sent += 1;
                    next.clear();
                }
                Err(Refused::Full) => {
                    flood.association.flush();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(refused) => panic!("{refused:?}"),
            }
            // It reads what it is told, so that only the other one is to blame.
            poll_fn(|cx| {
                while let Poll::Ready(event) = flood.association.poll_event(cx) {
                    refused += u32::from(matches!(event, sctp::Event::Data(_)));
                }
                Poll::Ready(())
            })
            .await;
        }
        println!("{sent} dialogues begun with an HLR that never reads, {refused} refused");
        drop(deaf);
    });
    // What did not fit any more was given back, and the reason is in the record.
    trial.record("a limit", |record| {
        record["from"] == "gb-23430-stp1" && record["finish"] == "refused"
    });
    trial.end(P99_IN_A_FLOOD);
}

/// Datagrams that are no SCTP, or the beginning of it, from an address that peers have.
#[test]
fn noise_on_the_port_of_sctp_opens_nothing() {
    let trial = Trial::new("signalling_noise");
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    // INIT with a tag of its own, a window and streams. //= RFC 9260 §3.3.2
    let mut init = vec![0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20];
    init.extend_from_slice(&[0, 0, 0, 9, 0, 1, 0, 0, 0, 16, 0, 16, 0, 0, 0, 1]);
    init[2..4].copy_from_slice(&PORT.to_be_bytes());
    for number in 0..20_000_u32 {
        init[..2].copy_from_slice(&u16::try_from(number % 60_000 + 1).unwrap().to_be_bytes());
        init[16..20].copy_from_slice(&(number + 1).to_be_bytes());
        init[8..12].fill(0);
        let sum = crc32c::crc32c(&init);
        init[8..12].copy_from_slice(&sum.to_le_bytes());
        let length = if number % 2 == 0 { init.len() } else { number as usize % init.len() };
        let _ = socket.send_to(&init[..length], (HERE, trial.port));
        if number % 100 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    trial.end(P99);
}
