//! The gateway between other people's Diameter nodes: python-diameter, freeDiameter, Erlang/OTP.
//!
//! Everything runs in a network namespace of its own, so it needs root. What the gateway says is
//! captured there and judged by tshark.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sim::diameter::parse::{Message, Outcome};
use sim::diameter::{base, s6a};
use tests::children::{Running, eventually};
use tests::daemon::Daemon;
use tests::namespace;
use tests::tshark;
use tests::world::{self, GATEWAY, Neighbour};

/// Everything that can go wrong takes shorter than this.
const LIMIT: Duration = Duration::from_secs(30);

const GATEWAY_AT: &str = "192.0.2.1";
const MME_AT: &str = "192.0.2.11";
const VISITED_RELAY_AT: &str = "192.0.2.12";
const HSS_AT: &str = "192.0.2.21";
const HOME_RELAY_AT: &str = "192.0.2.22";
const ADDRESSES: [&str; 5] = [GATEWAY_AT, MME_AT, VISITED_RELAY_AT, HSS_AT, HOME_RELAY_AT];

const MME: &str = "mme1.visited.lab";
const HSS: &str = "hss1.home.lab";
const VISITED_RELAY: &str = "dra1.visited.lab";
const HOME_RELAY: &str = "dra1.home.lab";

/// What the MME asks, and what it must be told by whom: subscriber 1 attaches where the home
/// operator prefers it, subscriber 2 where it does not, subscriber 3 elsewhere.
fn script() -> Vec<(String, String)> {
    let ask =
        |kind: &str, number: u64, plmn: &str| format!("{kind}:{}:{plmn}", world::imsi(number));
    let success = format!("base 2001 {HSS}");
    let steered = format!("experimental 10415 5004 {GATEWAY}");
    vec![
        (ask("air", 1, world::PREFERRED), success.clone()),
        (ask("ulr", 1, world::PREFERRED), success.clone()),
        (ask("air", 2, world::STEERED), success.clone()),
        (ask("ulr", 2, world::STEERED), steered),
        (ask("ulr", 3, world::ELSEWHERE), success),
    ]
}

fn file(name: &str) -> PathBuf {
    tests::root().join("tests/interop").join(name)
}

/// One test's folder, python, and the capture that runs while it does.
struct Stage {
    folder: PathBuf,
    python: PathBuf,
    sniffer: Running,
    /// Whom the gateway connects to.
    next_at: &'static str,
}

impl Stage {
    /// Nothing where the test cannot run, which was said then.
    fn enter(test: &str, programs: &[&str], next_at: &'static str) -> Option<Self> {
        let Some(python) = tests::python() else {
            tests::skip("no Python with python-diameter (IPX_VENV or target/interop-venv)");
            return None;
        };
        for program in ["tcpdump", "tshark"].iter().chain(programs) {
            if !tests::has_program(program) {
                tests::skip(&format!("no {program}"));
                return None;
            }
        }
        if !namespace::entered(test, &ADDRESSES) {
            return None;
        }
        let folder = tests::scratch(test);
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args([
            "-i",
            "lo",
            "-U",
            "--immediate-mode",
            "-Z",
            "root",
            "-w",
            "wire.pcap",
            "tcp port 3868",
        ]);
        let sniffer =
            Running::start(tcpdump.current_dir(&folder), &folder.join("tcpdump.log")).unwrap();
        let stage = Self { folder, python, sniffer, next_at };
        stage.wait_for("tcpdump.log", "listening on");
        Some(stage)
    }

    fn wait_for(&self, log: &str, word: &str) {
        let seen = eventually(LIMIT, || self.log(log).contains(word).then_some(()));
        assert!(seen.is_some(), "no `{word}` in {log}: {}", self.log(log));
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    fn run(&self, name: &str, command: &mut Command) -> Running {
        Running::start(command.current_dir(&self.folder), &self.folder.join(name)).unwrap()
    }

    /// The HSS, whose only neighbour is `peer`.
    fn hss(&self, peer: &str) -> Running {
        let mut command = Command::new(&self.python);
        command.arg(file("hss.py")).args([HSS_AT, "3868", peer, realm(peer)]);
        let running = self.run("hss.log", &mut command);
        self.wait_for("hss.log", "ready");
        running
    }

    /// Lets an MME ask `peer`; what it printed, and its exit status.
    fn mme(&self, name: &str, peer: &str, peer_at: &str, asks: &[String]) -> (String, Option<i32>) {
        let mut command = Command::new(&self.python);
        command.arg(file("mme.py")).args([MME_AT, name, peer, realm(peer), peer_at]).args(asks);
        let status = self.run("mme.log", &mut command).wait(2 * LIMIT);
        // python-diameter's own warnings stand between.
        let log = self.log("mme.log");
        let ours =
            |line: &&str| ["air:", "ulr:", "refused"].iter().any(|word| line.starts_with(word));
        let said: Vec<_> = log.lines().filter(ours).collect();
        (said.join("\n"), status.code())
    }

    /// The gateway between the node that connects to it and the one it connects to.
    fn gateway(&self, asker: &str, home: &str) -> Daemon {
        let connect = format!("{}:3868", self.next_at);
        let neighbours = [
            Neighbour { host: asker, connect: None },
            Neighbour { host: home, connect: Some(&connect) },
        ];
        let listen = format!("{GATEWAY_AT}:3868");
        let config = world::gateway_toml(&listen, &ADDRESSES, &neighbours, "");
        world::write_policies(&self.folder.join("policies"), &[home]);
        let daemon = Daemon::start(&self.folder, &config);
        daemon.wait_up(&[home], LIMIT);
        daemon
    }

    /// The MME asks everything in the script and is told what it must be told.
    fn play(&self, peer: &str, peer_at: &str, daemon: &Daemon) {
        let (asks, told): (Vec<_>, Vec<_>) = script().into_iter().unzip();
        let (said, status) = self.mme(MME, peer, peer_at, &asks);
        let expected: Vec<_> = asks.iter().zip(&told).map(|(a, t)| format!("{a} {t}")).collect();
        let said: Vec<_> = said.lines().collect();
        assert_eq!(said, expected, "{}", daemon.log());
        assert_eq!(status, Some(0));
        let records = eventually(LIMIT, || {
            let records = daemon.records();
            (records.len() >= asks.len()).then_some(records)
        });
        let records = records.unwrap_or_else(|| panic!("too few: {:#?}", daemon.records()));
        assert_eq!(records.len(), asks.len(), "one record for an exchange: {records:#?}");
        let steered = records.iter().filter(|record| record["provenance"] == "steering");
        assert_eq!(steered.count(), 1, "{records:#?}");
    }

    /// Ends the capture; tshark finds nothing wrong with what the gateway said.
    fn judge(mut self, messages_min: usize) {
        self.sniffer.signal("INT");
        let _ = self.sniffer.wait(LIMIT);
        let ours = format!(
            "(tcp.srcport == 3868 && ip.src == {GATEWAY_AT}) || \
             (tcp.dstport == 3868 && ip.dst == {})",
            self.next_at
        );
        let readings = tshark::dissect(&self.folder.join("wire.pcap"), &ours).unwrap();
        let wrong: Vec<_> = readings.iter().filter(|r| !r.complaints.is_empty()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        println!("tshark: {} messages of the gateway, nothing wrong", readings.len());
        assert!(readings.len() >= messages_min, "{readings:#?}");
    }
}

/// What follows the first label of a name.
fn realm(host: &str) -> &str {
    host.split_once('.').map_or(host, |(_, realm)| realm)
}

/// CEA and CER, five answers to the MME, four requests to the HSS.
const MESSAGES_MIN: usize = 11;

#[test]
fn python_diameter_as_mme_and_as_hss() {
    let test = "python_diameter_as_mme_and_as_hss";
    let Some(stage) = Stage::enter(test, &[], HSS_AT) else { return };
    let _hss = stage.hss(GATEWAY);
    let mut daemon = stage.gateway(MME, HSS);
    stage.play(GATEWAY, GATEWAY_AT, &daemon);
    let (said, status) = stage.mme("mme9.visited.lab", GATEWAY, GATEWAY_AT, &[]);
    assert_eq!((&*said, status), ("refused 3010", Some(3)), "a stranger is told so");
    daemon.assert_alive();
    stage.judge(MESSAGES_MIN);
}

#[test]
fn freediameter_as_client_and_as_server() {
    let test = "freediameter_as_client_and_as_server";
    let Some(stage) = Stage::enter(test, &["freeDiameterd"], HOME_RELAY_AT) else { return };
    let _hss = stage.hss(HOME_RELAY);
    let _server = freediameter(&stage, HOME_RELAY, HOME_RELAY_AT, HSS, HSS_AT);
    let mut daemon = stage.gateway(VISITED_RELAY, HOME_RELAY);
    let _client = freediameter(&stage, VISITED_RELAY, VISITED_RELAY_AT, GATEWAY, GATEWAY_AT);
    daemon.wait_up(&[VISITED_RELAY], LIMIT);
    stage.play(VISITED_RELAY, VISITED_RELAY_AT, &daemon);
    daemon.assert_alive();
    stage.judge(MESSAGES_MIN);
}

/// A freeDiameter relay that connects to `next`.
fn freediameter(stage: &Stage, name: &str, at: &str, next: &str, next_at: &str) -> Running {
    let folder = stage.folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let fill = |from: &str, to: &str| {
        let text = std::fs::read_to_string(file(from)).unwrap();
        let text = text.replace("@NAME@", name).replace("@REALM@", realm(name));
        let text = text.replace("@ADDRESS@", at).replace("@FOLDER@", folder.to_str().unwrap());
        let text = text.replace("@NEXT@", next).replace("@NEXT_ADDRESS@", next_at);
        std::fs::write(folder.join(to), text.replace("@NEXT_REALM@", realm(next))).unwrap();
    };
    fill("freediameter.conf", "relay.conf");
    fill("freediameter-acl.conf", "acl.conf");
    fill("freediameter-routes.conf", "routes.conf");
    let mut command = Command::new("freeDiameterd");
    command.arg("-c").arg(folder.join("relay.conf"));
    let log = format!("{name}.log");
    let running = stage.run(&log, &mut command);
    stage.wait_for(&log, "freeDiameterd daemon initialized");
    running
}

#[test]
fn erlang_diameter_as_client_and_as_server() {
    let test = "erlang_diameter_as_client_and_as_server";
    let Some(stage) = Stage::enter(test, &["erl", "erlc"], HOME_RELAY_AT) else { return };
    if !has_erlang_diameter() {
        return tests::skip("no Erlang application `diameter`");
    }
    let _hss = stage.hss(HOME_RELAY);
    let _server = erlang(&stage, HOME_RELAY, HOME_RELAY_AT, HSS_AT);
    let mut daemon = stage.gateway(VISITED_RELAY, HOME_RELAY);
    let _client = erlang(&stage, VISITED_RELAY, VISITED_RELAY_AT, GATEWAY_AT);
    daemon.wait_up(&[VISITED_RELAY], LIMIT);
    stage.play(VISITED_RELAY, VISITED_RELAY_AT, &daemon);
    daemon.assert_alive();
    stage.judge(MESSAGES_MIN);
}

fn has_erlang_diameter() -> bool {
    let ask = "case code:lib_dir(diameter) of {error, _} -> halt(1); _ -> halt(0) end.";
    let out = Command::new("erl").args(["-noshell", "-eval", ask]).output();
    out.is_ok_and(|out| out.status.success())
}

/// An Erlang relay that connects to `next_at`.
fn erlang(stage: &Stage, name: &str, at: &str, next_at: &str) -> Running {
    compile(&stage.folder);
    let start = format!("relay:main([\"{name}\", \"{}\", \"{at}\", \"{next_at}\"]).", realm(name));
    let mut command = Command::new("erl");
    command.args(["-noshell", "+sbwt", "none", "-eval", &start]);
    let log = format!("{name}.log");
    let running = stage.run(&log, &mut command);
    stage.wait_for(&log, "ready");
    running
}

fn compile(folder: &Path) {
    let mut command = Command::new("erlc");
    let status = command.arg("-o").arg(folder).arg(file("relay.erl")).status().unwrap();
    assert!(status.success(), "the relay compiles");
}

/// The simulator judges the gateway; tshark judges the simulator.
#[test]
fn what_the_simulator_says_is_sound_to_tshark() {
    if !tests::has_program("tshark") {
        return tests::skip("no tshark");
    }
    let messages = simulated();
    let capture = tests::scratch("simulator").join("simulated.pcap");
    tests::capture::write(&capture, &messages).unwrap();
    let readings = tshark::dissect(&capture, "").unwrap();
    let wrong: Vec<_> = readings.iter().filter(|r| !r.complaints.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(readings.len(), messages.len());
}

fn parsed(octets: &[u8]) -> Message<'_> {
    Message::parse(octets).unwrap()
}

/// One of each message that the simulator knows: requests, then the answers to them.
fn simulated() -> Vec<Vec<u8>> {
    let (mme, hss) = (sim::Identity::new(MME), sim::Identity::new(HSS));
    let here = HSS_AT.parse().unwrap();
    let request = s6a::Request {
        me: &mme,
        session: "mme1.visited.lab;1;1",
        realm: world::HOME_REALM,
        host: Some(HSS),
        imsi: &world::imsi(1),
        visited: world::STEERED.parse::<sim::Plmn>().unwrap().octets(),
        rat: s6a::EUTRAN,
    };
    let made = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let cer = made(&|out| base::cer(out, &mme, here, (1, 1)));
    let dwr = made(&|out| base::dwr(out, &mme, (2, 2)));
    let dpr = made(&|out| base::dpr(out, &mme, (3, 3)));
    let ulr = made(&|out| request.ulr(out, (4, 4)));
    let air = made(&|out| request.air(out, (5, 5)));
    let tail = |tail: s6a::Tail, to: &[u8]| {
        made(&|out| tail.answer(out, &parsed(to), request.session.as_bytes()))
    };
    let refused = s6a::Tail::plain(&hss, Outcome::Experimental(5004));
    let answers = vec![
        made(&|out| {
            base::cea(out, &hss, here, &parsed(&cer));
        }),
        made(&|out| base::success(out, &hss, &parsed(&dwr))),
        made(&|out| base::success(out, &hss, &parsed(&dpr))),
        made(&|out| base::protocol_error(out, &hss, &parsed(&ulr), 3004)),
        tail(s6a::ula(&hss), &ulr),
        tail(refused, &ulr),
        tail(s6a::aia(&hss), &air),
        made(&|out| request.pur(out, (6, 6))),
        made(&|out| request.nor(out, (7, 7))),
        made(&|out| request.clr(out, (8, 8))),
    ];
    [cer, dwr, dpr, ulr, air].into_iter().chain(answers).collect()
}
