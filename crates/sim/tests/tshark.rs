//! tshark as the judge of every message that the simulated peers send.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]
#![allow(clippy::disallowed_methods, reason = "runs a dissector over files")]

use std::fmt::Write;
use std::process::Command;

use sim::Identity;
use sim::diameter::parse::{Message, Outcome};
use sim::diameter::{base, s6a};

/// Every message the peers build, each as bytes of its own.
fn messages() -> Vec<Vec<u8>> {
    let mme = Identity::new("mme1.epc.mnc010.mcc234.3gppnetwork.org");
    let hss = Identity::new("hss1.epc.mnc007.mcc214.3gppnetwork.org");
    let ip = "127.0.0.1".parse().unwrap();
    let request = s6a::Request {
        me: &mme,
        session: "mme1.epc.mnc010.mcc234.3gppnetwork.org;1;0000000001",
        realm: &hss.realm,
        host: Some(&hss.host),
        imsi: "214070000000001",
        visited: "23410".parse::<sim::Plmn>().unwrap().octets(),
        rat: s6a::EUTRAN,
    };
    let mut list = Vec::new();
    let mut build = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        list.push(bytes.clone());
        bytes
    };
    let cer = build(&|out| base::cer(out, &mme, ip, (1, 1)));
    build(&|out| {
        base::cea(out, &hss, "::1".parse().unwrap(), &Message::parse(&cer).unwrap());
    });
    let dwr = build(&|out| base::dwr(out, &mme, (2, 2)));
    build(&|out| base::success(out, &hss, &Message::parse(&dwr).unwrap()));
    let dpr = build(&|out| base::dpr(out, &mme, (3, 3)));
    build(&|out| base::success(out, &hss, &Message::parse(&dpr).unwrap()));
    let ulr = build(&|out| request.ulr(out, (4, 4)));
    let air = build(&|out| request.air(out, (5, 5)));
    let pur = build(&|out| request.pur(out, (6, 6)));
    let nor = build(&|out| request.nor(out, (7, 7)));
    let clr = build(&|out| request.clr(out, (8, 8)));
    let plain = |outcome| s6a::Tail::plain(&hss, outcome);
    let session = request.session.as_bytes();
    let answers = [
        (&ulr, s6a::ula(&hss)),
        (&ulr, plain(Outcome::Experimental(5004))),
        (&air, s6a::aia(&hss)),
        (&pur, plain(Outcome::Base(2001))),
        (&nor, plain(Outcome::Experimental(5001))),
        (&clr, plain(Outcome::Base(2001))),
    ];
    for (request, tail) in answers {
        build(&|out| tail.answer(out, &Message::parse(request).unwrap(), session));
    }
    build(&|out| base::protocol_error(out, &hss, &Message::parse(&ulr).unwrap(), 3001));
    list
}

#[test]
fn tshark_finds_nothing_malformed() {
    if Command::new("tshark").arg("--version").output().is_err() {
        let fail = std::env::var("IPX_SKIPS").is_ok_and(|v| v == "fail");
        assert!(!fail, "tshark is not installed");
        println!("skipped: tshark is not installed");
        return;
    }
    let list = messages();
    let mut dump = String::new();
    for message in &list {
        for (line, bytes) in message.chunks(16).enumerate() {
            write!(dump, "{:06x}", line * 16).unwrap();
            bytes.iter().for_each(|b| write!(dump, " {b:02x}").unwrap());
            dump.push('\n');
        }
        dump.push('\n');
    }
    let folder = std::env::temp_dir().join(format!("ipxsim-tshark-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (text, capture) = (folder.join("dump.txt"), folder.join("dump.pcap"));
    std::fs::write(&text, dump).unwrap();
    let mut convert = Command::new("text2pcap");
    let made = convert.args(["-q", "-T", "40000,3868"]).args([&text, &capture]).status();
    assert!(made.is_ok_and(|status| status.success()), "text2pcap failed");
    let run = Command::new("tshark").arg("-r").arg(&capture).arg("-V").output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let shown = String::from_utf8_lossy(&run.stdout);
    // One "Diameter Protocol" tree for each message; expert items name what is wrong.
    assert_eq!(shown.matches("\nDiameter Protocol").count(), list.len(), "{shown}");
    for bad in ["Malformed", "Expert Info (Warning", "Expert Info (Error", "Unknown AVP"] {
        let lines: Vec<_> = shown.lines().filter(|l| l.contains(bad)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
    let named = [
        "Command Code: 3GPP-Update-Location (316)",
        "ROAMING_NOT_ALLOWED (5004)",
        "Visited-PLMN-Id: ",
        "Mobile Network Code (MNC): ",
        "AVP: KASME(1450)",
        "AVP: APN-Configuration(1430)",
    ];
    for expected in named {
        assert!(shown.contains(expected), "{expected} is missing in\n{shown}");
    }
}
