//! What the gateway says by itself, before tshark and pycrate: in the place of a home network, of an SCCP
//! node, of an M3UA peer. Each message is read without complaint, and says what it should.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use procedure::{LinkId, Refusal, StackId, Symbol, Time};
use relay::{Arrival, Broken, Onward, Stack};
use serde_json::Value;
use ss7::Ss7;
use ss7::config::{Config, LinkConfig, Role, Server, Timers, TrafficMode};
use ss7::translate::{Rule, Table};
use ss7::view::m3ua::{Data, Kind, Label, PointCode, Variant, Writer, tag};
use ss7::view::sccp::write::{AddressBuffer, Fields, TitleFields};

const OWN: PointCode = PointCode(0x0801);
const VISITED: PointCode = PointCode(0x1809);
const HOME: PointCode = PointCode(0x1009);

fn part(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(value.len()).unwrap()], value].concat()
}

/// A Begin that asks for an operation in a version of an application context; none for version 1.
fn begin(context: u8, version: u8, operation: u8) -> Vec<u8> {
    let imsi = part(4, &[0x12, 0x04, 0x07, 0, 0, 0, 0, 0xf1]);
    let node = part(4, &[0x91, 0x44, 0x77, 0x00, 0x90]);
    let msc = part(0x81, &[0x91, 0x44, 0x77, 0x00, 0x90]);
    let argument = match operation {
        2 => part(0x30, &[imsi, msc, node].concat()),
        23 => part(0x30, &[imsi, node, part(4, &[4, 10, 0, 0, 1])].concat()),
        56 if version == 2 => imsi,
        56 => part(0x30, &[part(0x80, &imsi[2..]), vec![2, 1, 1]].concat()),
        3 => part(0xa3, &imsi),
        37 => part(0x30, &node),
        _ => panic!("no argument for {operation}"),
    };
    let invoke = [&[2, 1, 1, 2, 1, operation][..], &argument].concat();
    let components = part(0x6c, &part(0xa1, &invoke));
    let name = part(0xa1, &part(6, &[4, 0, 0, 1, 0, context, version]));
    let external = [part(6, &[0, 17, 134, 5, 1, 1, 1]), part(0xa0, &part(0x60, &name))].concat();
    let dialogue = if version == 1 { Vec::new() } else { part(0x6b, &part(0x28, &external)) };
    part(0x62, &[part(0x48, &[1, 2, 3, 4]), dialogue, components].concat())
}

fn title(ssn: u8, plan: u8, digits: &str) -> AddressBuffer {
    let digits = digits.parse().unwrap();
    let title = TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits };
    AddressBuffer::new(&Fields { ssn: Some(ssn), title: Some(title), ..Fields::default() })
}

fn sccp(context: u32, opc: PointCode, user: &[u8]) -> Vec<u8> {
    let label = Label { opc, dpc: OWN, service: 3, network: 0, priority: 0, sls: 1 };
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::DATA)
        .number(tag::ROUTING_CONTEXT, context)
        .data(&label, |out| out.extend_from_slice(user));
    out
}

fn data(ssn: u8, tcap: &[u8]) -> Vec<u8> {
    let (called, calling) = (title(6, 7, "346090000000001"), title(ssn, 1, "44770090"));
    let (called, calling) = (called.octets(), calling.octets());
    let pointers = [3, 3 + called.len(), 3 + called.len() + calling.len()];
    let mut udt = vec![9, 0x81];
    udt.extend(pointers.map(|pointer| u8::try_from(pointer).unwrap()));
    for one in [called, calling, tcap] {
        udt.push(u8::try_from(one.len()).unwrap());
        udt.extend_from_slice(one);
    }
    sccp(101, VISITED, &udt)
}

fn stack() -> Ss7 {
    let link = LinkConfig {
        role: Role::Sgp,
        connects: false,
        asp_identifier: None,
        addresses: Vec::new(),
        titles: Vec::new(),
    };
    let visited = Server {
        name: Symbol(1),
        routing_context: Some(101),
        network_appearance: None,
        point_codes: vec![VISITED],
        mode: TrafficMode::Loadshare,
        links: vec![LinkId(0)],
        links_min: 1,
        registers: false,
    };
    let home = Server {
        name: Symbol(2),
        routing_context: Some(102),
        point_codes: vec![HOME],
        links: vec![LinkId(1)],
        ..visited.clone()
    };
    let rule = Rule {
        prepend: "49".parse().unwrap(),
        ..Rule::new(Symbol(3), "999".parse().unwrap(), Symbol(2))
    };
    let config = Config {
        variant: Variant::Itu,
        point_codes: vec![OWN],
        network_indicator: 0,
        links: vec![Some(link.clone()), Some(link)],
        servers: vec![visited, home],
        table: Table::new(vec![rule], &[]),
        timers: Timers::default(),
        dialogue_timeout_ms: 1_000,
        abort_expired: true,
        refuse_connections: false,
    };
    Ss7::new(config, 1)
}

/// What pycrate says of messages, each with the version of MAP that it speaks; `None` where there is
/// no pycrate.
fn pycrate(messages: &[(u8, &[u8])]) -> Option<Vec<Value>> {
    let Some(python) = tests::python() else {
        tests::skip("no Python with pycrate (IPX_VENV or target/interop-venv)");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(tests::root().join("tests/interop/pycrate_judge.py"));
    let mut judge = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut asked = judge.stdin.take().unwrap();
    for (version, message) in messages {
        let hex: String = message.iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(asked, "{version} {hex}").unwrap();
    }
    drop(asked);
    let said = judge.wait_with_output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.len(), messages.len(), "an answer for each");
    said.iter().for_each(|said| assert_eq!(said["wrong"], Value::Null, "{said}"));
    Some(said)
}

/// Messages as a capture of M3UA over SCTP, and what tshark says of each: the columns asked for.
fn tshark(name: &str, messages: &[Vec<u8>], fields: &[&str]) -> Vec<Vec<String>> {
    let folder = tests::scratch(name);
    let (dump, capture) = (folder.join("messages.txt"), folder.join("messages.pcap"));
    let mut text = String::new();
    for message in messages {
        for (line, octets) in message.chunks(16).enumerate() {
            write!(text, "{:06x}", line * 16).unwrap();
            octets.iter().for_each(|octet| write!(text, " {octet:02x}").unwrap());
            text.push('\n');
        }
        text.push('\n');
    }
    std::fs::write(&dump, text).unwrap();
    let made = Command::new("text2pcap")
        .args(["-q", "-S", "2905,2905,3"])
        .args([&dump, &capture])
        .output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    tests::tshark::fields(&capture, "m3ua", fields).unwrap()
}

#[test]
fn each_answer_is_read_without_complaint_and_says_what_it_should() {
    if !tests::has_program("tshark") || !tests::has_program("text2pcap") {
        return tests::skip("no tshark with text2pcap");
    }
    let roaming = Refusal::RoamingNotAllowed;
    // Context, version, operation, calling subsystem, refusal; the MAP error or abort it must be.
    let cases = [
        (1, 1, 2, 7, roaming, "8"),
        (1, 2, 2, 7, roaming, "8"),
        (1, 3, 2, 7, roaming, "8"),
        (32, 3, 23, 149, roaming, "8"),
        (1, 1, 2, 7, Refusal::SystemFailure, "34"),
        (1, 2, 2, 7, Refusal::SystemFailure, "34"),
        (1, 3, 2, 7, Refusal::SystemFailure, "34"),
        (1, 3, 2, 7, Refusal::Unauthorised, "36"),
        (1, 3, 2, 7, Refusal::UnknownSubscriber, "1"),
        (14, 2, 56, 7, Refusal::UnknownSubscriber, "1"),
        (14, 3, 56, 149, Refusal::Congestion, "34"),
        (2, 3, 3, 7, Refusal::Unauthorised, "36"),
        (10, 2, 37, 7, Refusal::Unauthorised, "abort"),
    ];
    let stack = stack();
    let answers: Vec<Vec<u8>> = cases
        .iter()
        .map(|(context, version, operation, ssn, refusal, _)| {
            let asked = data(*ssn, &begin(*context, *version, *operation));
            let view = stack.view(&asked).unwrap();
            let mut out = Vec::new();
            stack.answer(&view, *refusal, &mut out);
            out
        })
        .collect();
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "tcap.dtid",
        "gsm_old.localValue",
        "m3ua.protocol_data_dpc",
        "sccp.called.ssn",
        "sccp.called.digits",
        "tcap.application_context_name",
        "tcap.abort_element",
        "gsm_map.er.roamingNotAllowedCause",
    ];
    let said = tshark("map-judges", &answers, &fields);
    assert_eq!(said.len(), cases.len());
    for (case, said) in cases.iter().zip(&said) {
        let (context, version, _, ssn, refusal, code) = *case;
        if refusal == roaming && version == 2 {
            // tshark knows this parameter as the sequence of version 3 only; in version 2 it is the
            // cause itself, and that is what it finds.
            assert!(said[1].contains("Primitive tag:10"), "{case:?}: {said:?}");
        } else {
            assert_eq!((said[0].as_str(), said[1].as_str()), ("", ""), "{case:?} is complained of");
        }
        assert_eq!(said[2], "01020304", "{case:?}");
        assert_eq!(said[4], VISITED.0.to_string(), "{case:?}");
        assert_eq!((said[5].as_str(), said[6].as_str()), (ssn.to_string().as_str(), "44770090"));
        if code == "abort" {
            assert!(!said[8].is_empty(), "{case:?}: {said:?}");
            continue;
        }
        assert_eq!(said[3], code, "{case:?}");
        let accepted =
            if version == 1 { String::new() } else { format!("0.4.0.0.1.0.{context}.{version}") };
        assert_eq!(said[7], accepted, "{case:?}");
        if refusal == roaming && version == 3 {
            assert_eq!(said[9], "0", "{case:?}: plmnRoamingNotAllowed");
        }
    }
    let asked: Vec<_> =
        cases.iter().zip(&answers).map(|(case, octets)| (case.1, &octets[..])).collect();
    for (case, said) in cases.iter().zip(pycrate(&asked).unwrap_or_default()) {
        let (context, version, _, _, refusal, code) = *case;
        assert_eq!(said["dtid"], "01020304", "{case:?}");
        if code == "abort" {
            assert_eq!(said["tcap"], "abort", "{case:?}: {said}");
            continue;
        }
        assert_eq!((&said["tcap"], &said["component"]), (&"end".into(), &"returnError".into()));
        assert_eq!(said["error"].to_string(), code, "{case:?}");
        if version > 1 {
            let accepted = serde_json::json!([0, 4, 0, 0, 1, 0, context, version]);
            assert_eq!((&said["context"], &said["result"]), (&accepted, &0.into()), "{case:?}");
        }
        let parameter = said["parameter"].to_string();
        if refusal == roaming {
            assert_eq!(parameter.contains("plmnRoamingNotAllowed"), version > 1, "{said}");
        }
    }
}

/// Every message that a link originates, as the stack's own tests hold it to be.
#[test]
fn what_links_say_is_read_without_complaint() {
    if !tests::has_program("tshark") || !tests::has_program("text2pcap") {
        return tests::skip("no tshark with text2pcap");
    }
    let samples = include_str!("../../crates/ss7/src/link/frames/samples.txt");
    // A name ends where the version of M3UA begins.
    let samples = samples.lines().map(|line| {
        let (name, hex) = line.split_at(line.find(" 0100").unwrap());
        let hex: Vec<u8> = hex.bytes().filter(|octet| *octet != b' ').collect();
        let octets = hex.chunks(2).map(|two| std::str::from_utf8(two).unwrap());
        (name, octets.map(|two| u8::from_str_radix(two, 16).unwrap()).collect::<Vec<u8>>())
    });
    let samples: Vec<_> = samples.collect();
    assert!(samples.len() >= 20, "{}", samples.len());
    let messages: Vec<_> = samples.iter().map(|(_, octets)| octets.clone()).collect();
    let fields = ["_ws.malformed", "_ws.expert.message", "m3ua.message_class", "m3ua.message_type"];
    let seen = tshark("m3ua-judges", &messages, &fields);
    assert_eq!(seen.len(), samples.len());
    for ((name, octets), seen) in samples.iter().zip(&seen) {
        assert_eq!((seen[0].as_str(), seen[1].as_str()), ("", ""), "{name} is complained of");
        let kind = [octets[2].to_string(), octets[3].to_string()];
        assert_eq!(seen[2..4], kind, "{name}");
    }
    let asked: Vec<_> = messages.iter().map(|octets| (0, &octets[..])).collect();
    for ((name, octets), said) in samples.iter().zip(pycrate(&asked).unwrap_or_default()) {
        assert_eq!(
            (&said["class"], &said["type"]),
            (&octets[2].into(), &octets[3].into()),
            "{name}"
        );
    }
}

#[test]
fn what_is_given_back_and_what_is_aborted_is_read_without_complaint() {
    if !tests::has_program("tshark") || !tests::has_program("text2pcap") {
        return tests::skip("no tshark with text2pcap");
    }
    let stack = stack();
    let asked = data(7, &begin(1, 3, 2));
    let view = stack.view(&asked).unwrap();
    let (mut back, mut aborted) = (Vec::new(), Vec::new());
    stack.answer(&view, Refusal::Unroutable, &mut back);
    stack.abandon(&view, &mut aborted);
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "sccp.message_type",
        "sccp.return_cause",
        "tcap.p_abortCause",
    ];
    let judged = pycrate(&[(3, &back), (3, &aborted)]).unwrap_or_default();
    if let [back, aborted] = &judged[..] {
        assert_eq!((&back["sccp"], &back["cause"]), (&"SCCPUnitDataService".into(), &1.into()));
        assert_eq!((&aborted["tcap"], &aborted["dtid"]), (&"abort".into(), &"01020304".into()));
    }
    let said = tshark("sccp-judges", &[back, aborted], &fields);
    assert_eq!(said[0][..4], ["", "", "0x0a", "0x01"].map(String::from), "{said:?}");
    assert_eq!(said[1][..3], ["", "", "0x09"].map(String::from), "{said:?}");
    assert_eq!(said[1][4], "1", "unrecognised transaction: {said:?}");
}

/// Called and calling party of a request to connect, with a hop counter behind.
fn connect(called: &AddressBuffer) -> Vec<u8> {
    let calling = part(4, title(142, 1, "44770090").octets());
    let called = part(0, called.octets());
    let behind = u8::try_from(called.len()).unwrap();
    [&[1, 1, 2, 3, 2, 2, behind][..], &called[1..], &calling, &[0x11, 1, 9, 0]].concat()
}

/// A message as it goes on from a link, or what its sender is told where it cannot.
fn heard(stack: &Ss7, link: u32, message: &[u8], goes_on: bool) -> Vec<u8> {
    let arrival = Arrival { link: LinkId(link), time: Time::default(), stack: StackId(0) };
    let view = stack.view(message).unwrap();
    let group = stack.describe(&view, &arrival).led;
    let mut out = Vec::new();
    if goes_on {
        stack.rewrite(&view, &Onward::Pass { to: LinkId(1 - link), group }, &mut out);
    } else {
        stack.answer(&view, Refusal::Unroutable, &mut out);
    }
    out
}

#[test]
fn what_we_say_of_connections_and_segments_is_read_without_complaint() {
    if !tests::has_program("tshark") || !tests::has_program("text2pcap") {
        return tests::skip("no tshark with text2pcap");
    }
    let stack = stack();
    let request = sccp(101, VISITED, &connect(&title(6, 1, "99912345")));
    let onward = heard(&stack, 0, &request, true);
    let ours = Data::new(&onward).unwrap().user[1..4].to_vec();
    let confirm = |to: &[u8]| sccp(102, HOME, &[&[2][..], to, &[7, 8, 9, 2, 0]].concat());
    let confirmed = heard(&stack, 1, &confirm(&ours), true);
    let release = heard(&stack, 1, &confirm(&ours), false);
    let refused = heard(&stack, 0, &sccp(101, VISITED, &connect(&title(6, 1, "123"))), false);
    let told = |user: &[u8]| heard(&stack, 0, &sccp(101, VISITED, user), false);
    let released = told(&[4, 9, 9, 9, 1, 2, 3, 0, 0]);
    let error = told(&[2, 9, 9, 9, 1, 2, 3, 2, 0]);
    let called = title(6, 1, "99912345");
    let called = part(0, called.octets());
    let length = u8::try_from(called.len() - 1).unwrap();
    let ends = [&called[1..], &called[1..]].concat();
    let pointers = [4, 3 + length, 2 + 2 * length, 6 + 2 * length];
    let segment = [0x10, 4, 0x83, 1, 2, 3, 0];
    let xudt = [&[17, 0x81, 15][..], &pointers, &ends, &[4, 1, 2, 3, 4], &segment].concat();
    let xudt = sccp(101, VISITED, &xudt);
    let mut broken = Vec::new();
    stack.break_off(&stack.view(&xudt).unwrap(), Broken::Late, &mut broken);
    let messages = [onward, confirmed, release, refused, released, error, broken];
    let fields = [
        "_ws.malformed",
        "_ws.expert.message",
        "sccp.message_type",
        "sccp.dlr",
        "sccp.slr",
        "sccp.refusal_cause",
        "sccp.release_cause",
        "sccp.error_cause",
        "sccp.return_cause",
        "sccp.called.digits",
        "sccp.hops",
        "sccp.segmentation.remaining",
    ];
    let said = tshark("sccp-connections", &messages, &fields);
    let number = |octets: &[u8]| {
        format!("0x{}", octets.iter().rev().map(|it| format!("{it:02x}")).collect::<String>())
    };
    let (to_home, to_visited) = (number(&ours), said[1][4].clone());
    assert_ne!(to_home, to_visited);
    let (opener, other) = ("0x030201", "0x090807");
    // From the type on: references, causes of refusal, release, error and return; digits, hops, and
    // how many segments follow.
    let expected = [
        ["0x01", "", &to_home, "", "", "", "", "4999912345", "0x08", ""],
        ["0x02", opener, &to_visited, "", "", "", "", "", "", ""],
        ["0x04", other, &to_home, "", "0x0a", "", "", "", "", ""],
        ["0x03", opener, "", "0x04", "", "", "", "", "", ""],
        ["0x05", opener, "0x090909", "", "", "", "", "", "", ""],
        ["0x0f", opener, "", "", "", "0x00", "", "", "", ""],
        ["0x12", "", "", "", "", "", "0x08", "99912345", "0x0f", "0x03"],
    ];
    assert_eq!(said.len(), expected.len());
    for (said, expected) in said.iter().zip(expected) {
        assert_eq!((said[0].as_str(), said[1].as_str()), ("", ""), "complained of: {said:?}");
        assert_eq!(said[2..], expected);
    }
}
