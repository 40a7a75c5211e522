//! Diameter over the kernel's SCTP: freeDiameter as the gateway's client and as its server, between the
//! simulator's MME and HSS; tshark reads what was said.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::children::{Running, eventually};
use tests::daemon::{Daemon, built};
use tests::world::{self, Neighbour};
use tests::{tshark, vm};

use crate::traffic::system;

const LIMIT: Duration = Duration::from_secs(240);
/// How long anything may take inside.
const PATIENCE: Duration = Duration::from_secs(60);
const RESULTS: &str = "/results";

const GATEWAY_AT: &str = "192.0.2.1";
const MME_AT: &str = "192.0.2.11";
const VISITED_RELAY_AT: &str = "192.0.2.12";
const HSS_AT: &str = "192.0.2.21";
const HOME_RELAY_AT: &str = "192.0.2.22";
const ADDRESSES: [&str; 5] = [GATEWAY_AT, MME_AT, VISITED_RELAY_AT, HSS_AT, HOME_RELAY_AT];
const HSS: &str = "hss1.home.lab";
const VISITED_RELAY: &str = "dra1.visited.lab";
const HOME_RELAY: &str = "dra1.home.lab";

fn logged(name: &str) -> String {
    std::fs::read_to_string(Path::new(RESULTS).join(name)).unwrap_or_default()
}

fn start(log: &str, command: &mut Command) -> Running {
    Running::start(command.current_dir(RESULTS), &Path::new(RESULTS).join(log)).unwrap()
}

fn wait_for(log: &str, word: &str) {
    let seen = eventually(PATIENCE, || logged(log).contains(word).then_some(()));
    assert!(seen.is_some(), "no `{word}` in {log}: {}", logged(log));
}

/// A freeDiameter relay that speaks SCTP, and connects to `next` over `how`.
fn freediameter(name: &str, at: &str, (next, next_at): (&str, &str), how: &str) -> Running {
    let realm = |host: &str| host.split_once('.').unwrap().1.to_owned();
    let folder = Path::new(RESULTS).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (from, to) in [
        ("freediameter.conf", "relay.conf"),
        ("freediameter-acl.conf", "acl.conf"),
        ("freediameter-routes.conf", "routes.conf"),
    ] {
        let text = std::fs::read_to_string(tests::root().join("tests/interop").join(from)).unwrap();
        let text = text.replace("@NAME@", name).replace("@REALM@", &realm(name));
        let text = text.replace("@ADDRESS@", at).replace("@FOLDER@", folder.to_str().unwrap());
        let text = text.replace("@NEXT@", next).replace("@NEXT_ADDRESS@", next_at);
        let text = text.replace("@NEXT_REALM@", &realm(next));
        let text = text.replace("\nNo_SCTP;", "\nSCTP_streams = 4;");
        std::fs::write(folder.join(to), text.replace("No_TLS;", &format!("No_TLS; {how};")))
            .unwrap();
    }
    let log = format!("{name}.log");
    let mut command = Command::new("freeDiameterd");
    let running = start(&log, command.arg("-c").arg(folder.join("relay.conf")));
    wait_for(&log, "freeDiameterd daemon initialized");
    running
}

/// MMEs of a visited network that attach `count` subscribers: what they were told.
fn attach(visited: &str, count: u32) -> Value {
    let mut command = Command::new(built("sim", "ipxsim"));
    let at = format!("{VISITED_RELAY_AT}:3868");
    command.args(["mme", "--connect", &at, "--source-ip", MME_AT, "--json", "--quiet"]);
    command.args(["--origin-host", "mme1.visited.lab", "--destination-realm", world::HOME_REALM]);
    command.args(["--visited", visited, "--procedure", "ulr", "--window", "4"]);
    let out = command.args(["--count", &count.to_string()]).output().unwrap();
    println!("{}", String::from_utf8_lossy(&out.stderr));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(out.status.success(), "{report:#}");
    report["answers"].clone()
}

/// A gateway that listens, and connects to the home relay, over the kernel's SCTP.
fn configuration() -> String {
    let (listen, connect) = (format!("{GATEWAY_AT}:3868"), format!("{HOME_RELAY_AT}:3868"));
    let neighbours = [
        Neighbour { host: VISITED_RELAY, connect: None },
        Neighbour { host: HOME_RELAY, connect: Some(&connect) },
    ];
    let text = world::gateway_toml(&listen, &ADDRESSES, &neighbours, "");
    let over = |line: String| (format!("{line}transport = \"sctp\"\n"), line);
    let lines = [format!("address = \"{listen}\"\n"), format!("connect = \"{connect}\"\n")];
    lines.into_iter().map(over).fold(text, |text, (to, from)| text.replace(&from, &to))
}

/// Outside: tshark finds nothing wrong with what we said, and it all has Diameter's PPID. (freeDiameter gives
/// its own none, and is understood all the same.)
//= RFC 6733 §2.1.1
fn judge(results: &Path) {
    let capture = results.join("wire.pcap");
    // From our port: freeDiameter has no source address of its own where all are the machine's.
    let ours = format!("ip.src == {GATEWAY_AT} && sctp.srcport == 3868");
    let readings = tshark::dissect(&capture, &ours).unwrap();
    let wrong: Vec<_> = readings.iter().filter(|reading| !reading.complaints.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // CER, CEA, a DPR to each; ten requests to the home network, fifteen answers.
    assert!(readings.len() >= 29, "{}", readings.len());
    let columns = ["sctp.data_payload_proto_id"];
    let data = format!("sctp.chunk_type == 0 && {ours}");
    let data = tshark::fields(&capture, &data, &columns).unwrap();
    assert!(!data.is_empty());
    assert!(data.iter().all(|ppids| ppids[0].split(',').all(|ppid| ppid == "46")), "{data:?}");
}

#[test]
fn freediameter_as_client_and_as_server() {
    for program in ["freeDiameterd", "tcpdump", "tshark"] {
        if !tests::has_program(program) {
            return tests::skip(&format!("no {program}"));
        }
    }
    for (package, name) in [("daemon", "ipxd"), ("sim", "ipxsim")] {
        assert!(built(package, name).is_file());
    }
    if !vm::judged("diameter::freediameter_as_client_and_as_server", LIMIT, judge) {
        return;
    }
    system("modprobe sctp");
    for address in ADDRESSES {
        system(&format!("ip address add {address}/32 dev lo"));
    }
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-i", "lo", "-U", "--immediate-mode", "-Z", "root", "-w", "wire.pcap", "sctp"]);
    let mut sniffer = start("tcpdump.log", &mut tcpdump);
    wait_for("tcpdump.log", "listening on");
    let mut hss = Command::new(built("sim", "ipxsim"));
    let at = format!("{HSS_AT}:3868");
    let _hss = start("hss.log", hss.args(["hss", "--origin-host", HSS, "--listen", &at]));
    wait_for("hss.log", "listens on");
    let _server = freediameter(HOME_RELAY, HOME_RELAY_AT, (HSS, HSS_AT), "No_SCTP");
    world::write_policies(&Path::new(RESULTS).join("policies"), &[HOME_RELAY]);
    let mut daemon = Daemon::start(Path::new(RESULTS), &configuration());
    daemon.wait_up(&[HOME_RELAY], PATIENCE);
    let gateway = (world::GATEWAY, GATEWAY_AT);
    let _client = freediameter(VISITED_RELAY, VISITED_RELAY_AT, gateway, "No_TCP");
    daemon.wait_up(&[VISITED_RELAY], PATIENCE);
    assert_eq!(attach(world::PREFERRED, 10), serde_json::json!({ "2001": 10 }));
    assert_eq!(attach(world::STEERED, 5), serde_json::json!({ "exp:5004": 5 }));
    let records = eventually(PATIENCE, || Some(daemon.records()).filter(|all| all.len() >= 15));
    let records = records.expect("a record of each");
    assert_eq!(records.len(), 15, "{records:#?}");
    let steered = records.iter().filter(|record| record["provenance"] == "steering");
    assert_eq!(steered.count(), 5);
    let peers = daemon.peers();
    let peers = peers["peers"].as_array().unwrap();
    assert!(peers.iter().any(|peer| peer["name"] == HOME_RELAY && peer["transport"] == "sctp"));
    daemon.assert_alive();
    daemon.signal("TERM");
    assert!(daemon.ended(PATIENCE).success());
    sniffer.signal("INT");
    let _ = sniffer.wait(PATIENCE);
}
