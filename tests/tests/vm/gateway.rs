//! The daemon between visited networks and Debian's osmo-stp, behind which the HLR is: as its ASP, and as
//! its signalling gateway. Everything over the kernel's SCTP; tshark reads what was said.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::children::{Running, eventually};
use tests::daemon::{Daemon, built};
use tests::{tshark, vm};

use crate::traffic::system;

const LIMIT: Duration = Duration::from_secs(240);
/// How long anything may take inside.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the machine sees as the test's folder.
const RESULTS: &str = "/results";

/// The gateway, 0-0-1, with a visited network that the customer prefers and one that it does not; `osmo`
/// is the peer behind which the HLR is, and `context` the routing context between the two.
fn configuration(osmo: &str, context: u32, audit_ms: u32) -> String {
    format!(
        r#"
[gateway]
origin_host = "stp1.ipx.example"
policies = "policies"
[admin]
listen = "127.0.0.1:0"
[journal]
directory = "journal"
clear_identities = true
[[listen]]
protocol = "m3ua"
address = "127.0.0.11:2905"
transport = "sctp"
[ss7]
point_code = "0-0-1"
network_indicator = "national"
connect_backoff_ms = 200
audit_ms = {audit_ms}
[[peer]]
name = "osmo-stp"
protocol = "m3ua"
transport = "sctp"
{osmo}
[[server]]
name = "home"
routing_context = {context}
point_code = "0-0-2"
mode = "override"
peers = ["osmo-stp"]
[[peer]]
name = "preferred"
protocol = "m3ua"
transport = "sctp"
role = "asp"
addresses = ["127.0.0.21"]
[[server]]
name = "preferred-nodes"
routing_context = 11
point_code = "0-0-3"
peers = ["preferred"]
[[peer]]
name = "steered"
protocol = "m3ua"
transport = "sctp"
role = "asp"
addresses = ["127.0.0.22"]
[[server]]
name = "steered-nodes"
routing_context = 12
point_code = "0-0-4"
peers = ["steered"]
"#
    )
}

const POLICIES: [(&str, &str); 4] = [
    ("customers.toml", "[[customer]]\nname = \"home\"\nplmns = [\"21407\"]\n"),
    (
        "networks.toml",
        "[[network]]\nplmn = \"21407\"\ntitles = \"34609\"\nmgt = \"34609\"\n\
         [[network]]\nplmn = \"23415\"\ntitles = \"44777\"\n\
         [[network]]\nplmn = \"23410\"\ntitles = \"44780\"\n",
    ),
    (
        "steering.toml",
        "[[plan]]\nname = \"gb\"\ncustomer = \"home\"\ncountry = \"GB\"\npreferred = [\"23415\"]\n",
    ),
    (
        "titles.toml",
        "[[title]]\nname = \"home\"\nprefix = \"34609\"\nto = \"home\"\n\
         [[title]]\nname = \"preferred\"\nprefix = \"44777\"\nto = \"preferred-nodes\"\n\
         [[title]]\nname = \"steered\"\nprefix = \"44780\"\nto = \"steered-nodes\"\n",
    ),
];

/// A visited node's number, its address, point code and routing context.
type Node = (&'static str, &'static str, &'static str, &'static str);
const PREFERRED: Node = ("447770000001", "127.0.0.21", "0-0-3", "11");
const STEERED: Node = ("447800000001", "127.0.0.22", "0-0-4", "12");

/// osmo-stp's own console.
const CONSOLE: &str = "127.0.0.1:4239";

/// All that runs in the machine.
struct Stage {
    daemon: Daemon,
    sniffer: Running,
    _osmo: Running,
    /// What osmo-stp calls the HLR.
    home: &'static str,
}

fn log(name: &str) -> PathBuf {
    Path::new(RESULTS).join(name)
}

fn logged(name: &str) -> String {
    std::fs::read_to_string(log(name)).unwrap_or_default()
}

fn wait_for<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually(PATIENCE, probe).unwrap_or_else(|| panic!("not in time: {what}"))
}

impl Stage {
    /// Capture, osmo-stp with this configuration of tests/vm, and the daemon.
    fn enter(osmo: &str, home: &'static str, configuration: &str) -> Self {
        system("modprobe sctp");
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args([
            "-i",
            "lo",
            "-U",
            "--immediate-mode",
            "-Z",
            "root",
            "-w",
            "/results/wire.pcap",
            "sctp",
        ]);
        let sniffer = Running::start(&mut tcpdump, &log("tcpdump.log")).unwrap();
        wait_for("the capture", || logged("tcpdump.log").find("listening on"));
        let mut command = Command::new("osmo-stp");
        command.arg("-c").arg(tests::root().join("tests/vm").join(osmo));
        let osmo = Running::start(&mut command, &log("osmo-stp.log")).unwrap();
        let policies = log("policies");
        std::fs::create_dir_all(&policies).unwrap();
        for (name, text) in POLICIES {
            std::fs::write(policies.join(name), text).unwrap();
        }
        Self { daemon: start(configuration), sniffer, _osmo: osmo, home }
    }

    /// Ends the daemon, in order, and starts it with another configuration.
    fn restart(&mut self, configuration: &str) {
        self.end();
        self.daemon = start(configuration);
    }

    fn end(&mut self) {
        self.daemon.assert_alive();
        self.daemon.signal("TERM");
        assert!(self.daemon.ended(PATIENCE).success());
    }

    /// The HLR, an ASP of osmo-stp's, once it is active there.
    fn hlr(&self) -> Running {
        let words = "--gateway 127.0.0.1 --local 127.0.0.12 --local-port 2905 --point-code 0-0-2 \
                     --gateway-point-code 0-0-1 --routing-context 2 --no-cancel";
        let hlr = Running::start(&mut peer("hlr", words), &log("hlr.json")).unwrap();
        wait_for("the HLR", || osmo_says("show cs7 instance 0 as active").find(self.home));
        hlr
    }

    /// Attaches that go through both, and registrations that the gateway refuses in the HLR's place; the
    /// HLR leaves after `settle`.
    fn roam(&self, settle: impl FnOnce()) {
        let mut hlr = self.hlr();
        let attaches = report(visited(PREFERRED, "--procedure attach --count 20 --window 4"));
        let refused = report(visited(STEERED, "--procedure ul --count 5 --window 5"));
        settle();
        hlr.signal("TERM");
        assert!(hlr.wait(PATIENCE).success());
        let home: Value = serde_json::from_str(&logged("hlr.json")).unwrap();
        assert_eq!(attaches["answered"], 20);
        assert_eq!(home["outcomes"], attaches["outcomes"], "both ends saw the same");
        assert_eq!(home["faults"], serde_json::json!({}));
        let told = serde_json::json!({ "updateLocation roamingNotAllowed": 5 });
        assert_eq!(refused["answers"], told);
        self.roamed();
    }

    /// What is recorded of that.
    fn roamed(&self) {
        let enough = || Some(self.daemon.records()).filter(|records| records.len() >= 25);
        let records = wait_for("the records", enough);
        assert_eq!(records.len(), 25, "{records:#?}");
        for record in &records {
            let is_steered = record["from"] == "steered";
            let expected = if is_steered {
                serde_json::json!(["refused", "steering", null, "23410", 8])
            } else {
                serde_json::json!(["answered", null, "osmo-stp", "23415", null])
            };
            let found = ["finish", "provenance", "to", "visited", "error"].map(|key| &record[key]);
            assert_eq!(serde_json::json!(found), expected, "{record:#}");
        }
        let steered = records.iter().filter(|record| record["from"] == "steered");
        assert_eq!(steered.count(), 5);
    }

    /// Waits for a further record of this end.
    fn next(&self, finish: &str) {
        let count = || self.daemon.records().iter().filter(|one| one["finish"] == finish).count();
        let before = count();
        wait_for(finish, || (count() > before).then_some(()));
    }

    fn leave(mut self) {
        self.end();
        self.sniffer.signal("INT");
        let _ = self.sniffer.wait(PATIENCE);
    }
}

fn start(configuration: &str) -> Daemon {
    let daemon = Daemon::start(Path::new(RESULTS), configuration);
    daemon.wait_up(&["osmo-stp"], PATIENCE);
    daemon
}

/// What osmo-stp answers on its console: all until it is silent.
fn osmo_says(ask: &str) -> String {
    let mut said = Vec::new();
    let mut stream = TcpStream::connect(CONSOLE).expect("osmo-stp listens");
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    write!(stream, "{ask}\r\n").unwrap();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

/// A peer of the simulator.
fn peer(kind: &str, words: &str) -> Command {
    let mut command = Command::new(built("sim", "ipxsim"));
    command.arg(kind).args(["--transport", "kernel", "--network-indicator", "2", "--json"]);
    command.args(words.split_whitespace());
    command
}

/// A visited node, an ASP of the gateway's, with further words.
fn visited((number, local, code, context): Node, more: &str) -> Command {
    let words = format!(
        "--gateway 127.0.0.11 --local {local} --local-port 2905 --point-code {code} \
         --gateway-point-code 0-0-1 --routing-context {context} --number {number} --quiet {more}"
    );
    peer("vlr", &words)
}

/// Runs it to its end: what it reports.
fn report(mut node: Command) -> Value {
    let out = node.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}", out.status);
    serde_json::from_str(&said).unwrap()
}

fn tools() -> bool {
    let needed = ["osmo-stp", "tcpdump", "tshark"];
    if let Some(missing) = needed.into_iter().find(|name| !tests::has_program(name)) {
        tests::skip(&format!("no {missing}"));
        return false;
    }
    for (package, name) in [("daemon", "ipxd"), ("sim", "ipxsim")] {
        assert!(built(package, name).is_file());
    }
    true
}

/// Outside: tshark complains of nothing, and these messages about the network are there, in these orders.
fn judge(results: &Path, expected: &[&[&str]]) {
    let capture = results.join("wire.pcap");
    let wrong = tshark::complaints(&capture, "m3ua").unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let columns = ["ip.src", "ip.dst", "m3ua.message_class", "m3ua.message_type"];
    let columns = [&columns[..], &["m3ua.affected_point_code_pc"]].concat();
    let packets = tshark::fields(&capture, "m3ua.message_class == 2", &columns).unwrap();
    let last = |address: &str| address.rsplit('.').next().unwrap().to_owned();
    let read = |packet: &Vec<String>| {
        let kinds = packet[2].split(',').zip(packet[3].split(','));
        let kinds = kinds.filter(|(class, _)| *class == "2").map(|(_, kind)| match kind {
            "1" => "DUNA",
            "2" => "DAVA",
            "3" => "DAUD",
            other => panic!("{other}: {packet:?}"),
        });
        let kinds: Vec<_> = kinds.collect();
        format!("{}>{} {} {}", last(&packet[0]), last(&packet[1]), kinds.join(","), packet[4])
    };
    let said: Vec<String> = packets.iter().map(read).collect();
    for order in expected {
        let mut rest = said.iter();
        for one in *order {
            assert!(rest.any(|said| said == one), "no {one} in its turn: {said:#?}");
        }
    }
    let data = tshark::fields(&capture, "m3ua.message_class == 1", &["frame.number"]).unwrap();
    assert!(data.len() > 40, "{} packets with DATA", data.len());
}

#[test]
fn the_daemon_is_an_asp_of_osmo_stp() {
    let judge = |results: &Path| {
        // osmo-stp says that the HLR is out of reach, and asked again that it is not: it answers so for
        // everything that it has a route to. So it is not asked any more after that, and then a visited
        // network is told what is true, too.
        let asked = ["1>11 DAVA 2", "1>11 DUNA 2", "11>1 DAUD 2", "1>11 DAVA 2"];
        let told = ["1>11 DUNA 2", "11>21 DUNA 2", "1>11 DAVA 2", "11>21 DAVA 2"];
        judge(results, &[&[&asked[..], &told].concat()]);
    };
    let test = "gateway::the_daemon_is_an_asp_of_osmo_stp";
    if !tools() || !vm::judged(test, LIMIT, judge) {
        return;
    }
    let osmo = "role = \"sg\"\nconnect = \"127.0.0.1:2905\"";
    let mut stage = Stage::enter("osmo-stp.cfg", "as-b", &configuration(osmo, 1, 500));
    stage.roam(|| ());
    std::thread::sleep(Duration::from_secs(2));
    stage.restart(&configuration(osmo, 1, 0));
    let mut hlr = stage.hlr();
    let more = "--procedure sai --rate 2 --for 200s";
    let mut watch = Running::start(&mut visited(PREFERRED, more), &log("watch.json")).unwrap();
    stage.next("answered");
    hlr.signal("TERM");
    assert!(hlr.wait(PATIENCE).success());
    stage.next("refused");
    let _hlr = stage.hlr();
    stage.next("answered");
    watch.signal("TERM");
    let _ = watch.wait(PATIENCE);
    let report: Value = serde_json::from_str(&logged("watch.json")).unwrap();
    println!("{report}");
    // The other visited network's point code as well.
    assert_eq!([&report["links"]["unavailable"], &report["links"]["available"]], [2, 1]);
    let returned = &report["answers"]["sendAuthenticationInfo returned 5"];
    assert!(returned.as_u64() > Some(0), "MTP failure");
    assert_eq!([&report["mismatched"], &report["duplicated"]], [0, 0]);
    // What the HLR had not answered when it went.
    assert!(report["lost"].as_u64() <= Some(1));
    stage.leave();
}

#[test]
fn osmo_stp_is_an_asp_of_the_daemon() {
    // Visited networks come and go; osmo-stp is told, and tells the HLR.
    let judge = |results: &Path| {
        let first = ["11>1 DUNA 3,4", "11>1 DAVA 3", "1>12 DAVA 3", "11>1 DUNA 3", "1>12 DUNA 3"];
        let second = ["11>1 DUNA 3,4", "11>1 DAVA 4", "1>12 DAVA 4", "11>1 DUNA 4", "1>12 DUNA 4"];
        judge(results, &[&first, &second]);
    };
    let test = "gateway::osmo_stp_is_an_asp_of_the_daemon";
    if !tools() || !vm::judged(test, LIMIT, judge) {
        return;
    }
    let osmo = "role = \"asp\"\naddresses = [\"127.0.0.1\"]";
    let stage = Stage::enter("osmo-asp.cfg", "as-hlr", &configuration(osmo, 21, 1_000));
    // Asked once, it may not have come up yet.
    wait_for("the gateway", || osmo_says("show cs7 instance 0 as active").find("as-gateway"));
    stage.roam(|| {
        wait_for("the last DUNA", || {
            let said = logged("osmo-stp.log");
            let told = said.lines().filter(|line| line.contains("asp-gateway: Rx DUNA"));
            (told.count() == 3).then_some(())
        });
    });
    stage.leave();
}
