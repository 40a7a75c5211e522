//! tshark as the judge of every message that the SS7 peers send, and vectors made by pycrate.

use std::fmt::Write;
use std::process::Command;

use m3ua::M3uaMessage;
use sim::ss7::Outbox;
use sim::ss7::asp::{Asp, AspConfig};
use sim::ss7::home::{Home, HomeConfig};
use sim::ss7::map::{self, Operation, Version, code};
use sim::ss7::message::{self, Tid, Unit};
use sim::ss7::title;
use sim::ss7::visited::{Identity, Role, Visited};

use crate::peers::{HLR, SGSN, VLR, VLR2};

const IMSI: u64 = 214_070_000_000_001;

/// Every SCCP message of whole conversations, both ways, in all versions.
fn messages() -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    let node = |role, number: &str, extended| {
        let mut identity = Identity::new(role, number);
        identity.titles = vec!["21407=34609".parse().unwrap()];
        identity.extended = extended;
        Visited::<()>::new(identity)
    };
    let mut refusing = HomeConfig::new(HLR);
    refusing.refuse = vec!["44".into()];
    for config in [HomeConfig::new(HLR), refusing] {
        // tshark knows roamingNotAllowed's parameter as the SEQUENCE of version 3 only.
        let refuses = !config.refuse.is_empty();
        let mut home = Home::new(config);
        let vlr = || [node(Role::Vlr, VLR, false), node(Role::Vlr, VLR2, true)];
        let ask = Operation::SendAuthenticationInfo;
        for version in [Version::V1, Version::V2, Version::V3] {
            if refuses && version == Version::V2 {
                continue;
            }
            // The second VLR's registration makes the home cancel at the first, which also purges.
            let mut nodes = vlr();
            for (at, op) in [
                (0, ask),
                (0, Operation::UpdateLocation),
                (1, Operation::UpdateLocation),
                (0, Operation::PurgeMs),
            ] {
                let mut out = Outbox::new();
                nodes[at].ask((op, version), (IMSI, ()), (0, 0), &mut out);
                converse(&mut nodes, &mut home, out, &mut list);
            }
        }
        let mut sgsn = [node(Role::Sgsn, SGSN, false)];
        for op in [ask, Operation::UpdateGprsLocation, Operation::PurgeMs] {
            let mut out = Outbox::new();
            sgsn[0].ask((op, Version::V3), (IMSI, ()), (0, 0), &mut out);
            converse(&mut sgsn, &mut home, out, &mut list);
        }
    }
    list
}

/// Carries messages between nodes and home until nobody has anything to say.
fn converse(nodes: &mut [Visited<()>], home: &mut Home, first: Outbox, list: &mut Vec<Vec<u8>>) {
    let mut waiting = first;
    while !waiting.is_empty() {
        let mut next = Outbox::new();
        for (_, sccp) in waiting {
            let called = Unit::read(&sccp).unwrap().called;
            let (_, digits, ssn) = title::parts(&called);
            if ssn == 6 {
                home.receive(&sccp, 0, &mut next);
            } else if let Some(node) = nodes.iter_mut().find(|n| n.identity().number == digits) {
                let _ = node.receive(&sccp, 0, &mut next);
            }
            list.push(sccp);
        }
        waiting = next;
    }
    for node in nodes {
        assert!(node.faults.is_empty() && node.outstanding() == 0, "{:?}", node.faults);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|p| digit(p[0]) << 4 | digit(p[1])).collect()
}

#[test]
fn an_update_location_is_the_one_that_pycrate_wrote() {
    // Encoded by pycrate and decoded alike by tshark, OTP and osmo_ss7; see the laboratory's vectors.
    let expected = "098103101b0d120600710443060700000000010b12070012044477000910324c624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a124020101020102301c040812040700000000f1810791447700091042040791447700091032";
    let mut identity = Identity::new(Role::Vlr, "447700900123");
    identity.msc = "447700900124".into();
    identity.titles = vec!["21407=34607".parse().unwrap()];
    identity.first_tid = 0x1001;
    let mut vlr = Visited::new(identity);
    let mut out = Outbox::new();
    vlr.ask((Operation::UpdateLocation, Version::V3), (IMSI, ()), (0, 0), &mut out);
    let mut expected = hex(expected);
    // The vector's octet 1 has return option and class as we do.
    // Ours differs in one thing: the AARQ says its protocol version, which is also the default.
    assert_eq!(out[0].1[..31], expected[..31], "both addresses");
    let component = |sccp: &[u8]| {
        let at = sccp.windows(2).position(|w| w == [0x6c, 0x26]).unwrap();
        sccp[at..].to_vec()
    };
    assert_eq!(component(&out[0].1), component(&expected));
    let read = |sccp: &[u8]| message::read(&Unit::read(sccp).unwrap().data).unwrap();
    let (ours, theirs) = (read(&out[0].1), read(&expected));
    assert_eq!((ours.otid, ours.dialogue), (theirs.otid, theirs.dialogue));
    // And the refusal that pycrate wrote is understood, as the home's own.
    expected = hex(
        "0981030e190b12070012044477000910320b12060011044306070000013f643d4904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c0da30b02010102010830030a0100",
    );
    let heard = vlr.receive(&expected, 5, &mut out);
    let refused = sim::ss7::outcome::Outcome::Error(code::ROAMING_NOT_ALLOWED);
    assert!(
        matches!(&heard, sim::ss7::visited::Heard::Answered { answer, steered: false, .. } if answer.outcome == refused),
        "{heard:?} {:?}",
        vlr.faults
    );
}

#[test]
fn tshark_finds_nothing_malformed() {
    if Command::new("tshark").arg("--version").output().is_err() {
        let fail = std::env::var("IPX_SKIPS").is_ok_and(|v| v == "fail");
        assert!(!fail, "tshark is not installed");
        println!("skipped: tshark is not installed");
        return;
    }
    let mut config = AspConfig::new(0x801, 9);
    config.routing_context = Some(1);
    config.asp_id = Some(7);
    let mut asp = Asp::new(config);
    let mut frames = Vec::new();
    asp.up(16, 0, &mut frames);
    let _ = asp.receive(&M3uaMessage::asp_up_ack(None).encode(), 0, &mut frames);
    let _ = asp.receive(&M3uaMessage::asp_active_ack(None, Some(1)).encode(), 0, &mut frames);
    let _ =
        asp.receive(&M3uaMessage::heartbeat(Some(vec![1, 2, 3, 4, 5])).encode(), 0, &mut frames);
    let _ = asp.turn(u64::MAX - 1, &mut frames);
    let management = frames.len();
    let mut list = messages();
    list.push({
        let called = title::address(1, VLR, 7);
        let data = message::unknown_dialogue(Tid::of(7));
        Unit { called, calling: title::address(1, HLR, 6), data, returned: None }.write(false, true)
    });
    frames.extend(list.into_iter().map(|sccp| asp.data(3, sccp)));
    asp.leave(&mut frames);
    let shown = dissect(&frames.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>());
    assert_eq!(management, 4, "ASPUP, ASPAC, BEAT-ACK, BEAT");
    assert_eq!(shown.matches("\nMTP 3 User Adaptation Layer").count(), frames.len());
    for bad in
        ["Malformed", "Expert Info (Warning", "Expert Info (Error", "[BER error", "Unknown message"]
    {
        let lines: Vec<_> = shown.lines().filter(|l| l.contains(bad)).collect();
        assert!(lines.is_empty(), "{lines:#?}\n{shown}");
    }
    let named = [
        "localValue: updateLocation (2)",
        "localValue: cancelLocation (3)",
        "localValue: insertSubscriberData (7)",
        "localValue: updateGprsLocation (23)",
        "localValue: sendAuthenticationInfo (56)",
        "localValue: purgeMS (67)",
        "localValue: roamingNotAllowed (8)",
        "roamingNotAllowedCause: plmnRoamingNotAllowed (0)",
        "Message type: Heartbeat ack (BEAT_ACK)",
        "(149)",
    ];
    for expected in named {
        let found = shown.to_lowercase().contains(&expected.to_lowercase());
        assert!(found, "{expected} is missing in\n{shown}");
    }
}

/// Everything that tshark says about M3UA messages.
fn dissect(list: &[Vec<u8>]) -> String {
    let mut dump = String::new();
    for message in list {
        for (line, bytes) in message.chunks(16).enumerate() {
            write!(dump, "{:06x}", line * 16).unwrap();
            bytes.iter().for_each(|b| write!(dump, " {b:02x}").unwrap());
            dump.push('\n');
        }
        dump.push('\n');
    }
    let folder = std::env::temp_dir().join(format!("ipxsim-ss7-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (text, capture) = (folder.join("dump.txt"), folder.join("dump.pcap"));
    std::fs::write(&text, dump).unwrap();
    let mut convert = Command::new("text2pcap");
    let made = convert.args(["-q", "-S", "2905,2905,3"]).args([&text, &capture]).status();
    assert!(made.is_ok_and(|status| status.success()), "text2pcap failed");
    let run = Command::new("tshark").arg("-r").arg(&capture).arg("-V").output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

//= TS 29.002 §17.7.7
#[test]
fn roaming_not_allowed_is_written_as_each_version_has_it() {
    assert_eq!(map::roaming_not_allowed(Version::V1), None);
    assert_eq!(map::roaming_not_allowed(Version::V2).unwrap(), [0x0a, 1, 0]);
    assert_eq!(map::roaming_not_allowed(Version::V3).unwrap(), [0x30, 3, 0x0a, 1, 0]);
}
