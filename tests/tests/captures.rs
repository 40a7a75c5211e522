//! Real traffic: every Diameter message of every capture passes view, describe and rewrite byte for
//! byte, and is read as tshark reads it.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::path::{Path, PathBuf};

use diameter::{Config, Diameter, PeerConfig, View};
use procedure::{Code, Imsi, LinkId, Plmn, StackId, Time};
use relay::{Arrival, Exchange, Onward, Stack};
use tests::capture::{self, Captured};
use tests::tshark::{self, Reading};

/// An AVP header and the shortest name that we append to a request: Route-Record with `asker`.
const ASKER: &str = "asker.lab";

fn captures() -> Vec<PathBuf> {
    let Some(folder) = tests::lab("captures") else { return Vec::new() };
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
    let mut captures: Vec<_> = files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "md"))
        .collect();
    captures.sort();
    captures
}

fn stack() -> Diameter {
    let mut config = Config::new("gateway.lab", "lab");
    config.peers.push(PeerConfig::new(LinkId(0), ASKER, "lab"));
    Diameter::new(config)
}

#[test]
fn every_captured_message_passes_unchanged_and_is_read_as_tshark_reads_it() {
    let captures = captures();
    if captures.is_empty() {
        return tests::skip("no captures beside the repository");
    }
    let judged = tests::has_program("tshark");
    let (stack, mut total) = (stack(), 0);
    for path in captures {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let messages = capture::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        for message in &messages {
            passes_unchanged(&stack, &name, message);
        }
        if judged {
            agrees(&stack, &path, &name, &messages);
        }
        println!("{name}: {} Diameter messages", messages.len());
        total += messages.len();
    }
    assert!(total >= 400, "the captures hold hundreds of messages, {total} were found");
    if !judged {
        tests::skip("no tshark to judge what was read");
    }
}

fn passes_unchanged(stack: &Diameter, name: &str, message: &Captured) {
    let frame = message.octets.as_slice();
    let at = format!("{name}, frame {}", message.number);
    assert_eq!(stack.frame_octets(frame), Ok(Some(frame.len())), "{at}");
    let view = stack.view(frame).unwrap_or_else(|why| panic!("{at}: {why:?}"));
    let mut out = Vec::new();
    match stack.correlate(&view) {
        Exchange::Passes { .. } => unreachable!("Diameter's are numbered by each hop"),
        Exchange::Closes { label, .. } => {
            stack.rewrite(&view, &Onward::Answer { label }, &mut out);
            assert_eq!(out, frame, "{at}: an answer");
        }
        Exchange::Opens { label, .. } => {
            let asker = LinkId(0);
            let onward = Onward::Request { label, asker, resent: false, hide_origin: false };
            stack.rewrite(&view, &onward, &mut out);
            assert_eq!(without_route_record(&out), frame, "{at}: a request");
        }
    }
}

/// A forwarded request with the Route-Record taken off its end again.
fn without_route_record(forwarded: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0, 1, 26, 0x40, 0, 0, 8 + ASKER.len() as u8];
    record.extend(ASKER.as_bytes());
    record.resize(record.len().next_multiple_of(4), 0);
    let mut frame = forwarded.strip_suffix(&record[..]).expect("a Route-Record last").to_vec();
    let octets = u32::try_from(frame.len()).unwrap().to_be_bytes();
    frame[1..4].copy_from_slice(&octets[1..]);
    frame
}

fn agrees(stack: &Diameter, path: &Path, name: &str, messages: &[Captured]) {
    let theirs = tshark::dissect(path, "").unwrap_or_else(|error| panic!("{name}: {error}"));
    let ours: Vec<_> = messages.iter().map(|message| read(stack, message)).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let theirs = Reading { complaints: Vec::new(), ..theirs.clone() };
        assert_eq!(*ours, theirs, "{name}, frame {}: ours, then tshark's", theirs.number);
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: no message is missed");
    for (message, theirs) in messages.iter().zip(&theirs) {
        neutral(stack, message, theirs);
    }
}

/// Our view in the words of tshark's reading.
fn read(stack: &Diameter, message: &Captured) -> Reading {
    let view = stack.view(&message.octets).expect("it passed before");
    let (result, experimental) = match view.result {
        Code::None => (None, None),
        Code::Base(code) => (Some(code), None),
        Code::Experimental { vendor, code } => (None, Some((vendor, code))),
        other => panic!("not Diameter's: {other:?}"),
    };
    Reading {
        number: message.number,
        octets: message.octets.len(),
        command: view.header.command,
        application: view.header.application,
        request: view.header.is_request(),
        hop_by_hop: view.header.hop_by_hop,
        user_name: view.user_name.map(|name| String::from_utf8_lossy(name).into_owned()),
        visited: view.visited.map(<[u8]>::to_vec),
        result,
        experimental,
        complaints: Vec::new(),
    }
}

/// What describe and outcome say, against what tshark read.
fn neutral(stack: &Diameter, message: &Captured, theirs: &Reading) {
    let view: View<'_> = stack.view(&message.octets).expect("it passed before");
    let arrival = Arrival { link: LinkId(0), time: Time::default(), stack: StackId(0) };
    if theirs.request {
        let procedure = stack.describe(&view, &arrival);
        assert_eq!(
            (procedure.application, procedure.operation),
            (theirs.application, theirs.command)
        );
        let visited = theirs.visited.as_deref().and_then(|plmn| plmn.try_into().ok());
        assert_eq!(procedure.visited, visited.and_then(Plmn::from_octets));
        if theirs.application == diameter::S6A {
            let imsi =
                theirs.user_name.as_deref().and_then(|name| Imsi::from_ascii(name.as_bytes()));
            assert_eq!(procedure.imsi.map(Imsi::in_clear), imsi.map(Imsi::in_clear));
            assert!(procedure.imsi.is_some(), "every S6a request here names its subscriber");
        }
    } else {
        let (code, success) = stack.outcome(&view);
        assert_eq!(code, view.result);
        assert_eq!(
            success,
            theirs.result.or(theirs.experimental.map(|(_, code)| code)) == Some(2001)
        );
    }
}
