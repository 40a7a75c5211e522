//! Real MAP traffic: every message passes view and rewrite byte for byte, and is read as tshark
//! reads it: transaction numbers, operations, errors, invoke numbers, identities.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use procedure::{LinkId, Symbol};
use relay::{Onward, Stack};
use serde_json::Value;
use ss7::Ss7;
use ss7::config::{Config, Server, Timers, TrafficMode};
use ss7::describe::attempt;
use ss7::translate::Table;
use ss7::view::m3ua::{Data, PointCode, Variant};
use ss7::view::sccp::write::{Changes, change};
use ss7::view::sccp::{Unitdata, is_connection};
use ss7::view::tcap::{Component, Number, Transaction};

const CAPTURES: [&str; 1] = ["pcapr-map-dev.pcap"];

/// What one of us reads in a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    otid: Option<String>,
    dtid: Option<String>,
    /// Of invokes, results and errors, in order.
    numbers: Vec<String>,
    invokes: Vec<String>,
}

/// tshark's words on a frame.
struct Judged {
    reading: Reading,
    imsi: Option<String>,
    protocols: String,
    malformed: bool,
}

fn tshark(capture: &Path, arguments: &[&str]) -> String {
    let out = Command::new("tshark").arg("-r").arg(capture).args(arguments).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn judge(capture: &Path) -> BTreeMap<String, Judged> {
    let fields = [
        "frame.number",
        "frame.protocols",
        "tcap.otid",
        "tcap.dtid",
        "gsm_old.localValue",
        "gsm_old.invokeID",
        "e212.imsi",
        "_ws.malformed",
    ];
    let mut arguments = vec!["-Y", "sccp", "-T", "fields", "-E", "separator=;"];
    fields.iter().for_each(|field| arguments.extend(["-e", field]));
    let list = |text: &str| -> Vec<String> {
        text.split(',').filter(|one| !one.is_empty()).map(ToOwned::to_owned).collect()
    };
    let judged = |line: &str| {
        let columns: Vec<&str> = line.split(';').collect();
        let reading = Reading {
            otid: list(columns[2]).into_iter().next(),
            dtid: list(columns[3]).into_iter().next(),
            numbers: list(columns[4]),
            invokes: list(columns[5]),
        };
        let imsi = list(columns[6]).into_iter().next();
        let (protocols, malformed) = (columns[1].to_owned(), !columns[7].is_empty());
        (columns[0].to_owned(), Judged { reading, imsi, protocols, malformed })
    };
    tshark(capture, &arguments).lines().map(judged).collect()
}

/// A layer's octets by frame, where the frame has one of it.
fn layers(capture: &Path, layer: &str) -> Vec<(String, Vec<u8>)> {
    let text = tshark(capture, &["-Y", "sccp", "-T", "json", "-x", "--no-duplicate-keys"]);
    let frames: Value = serde_json::from_str(&text).unwrap();
    let octets = |hex: &str| {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let found = frames.as_array().unwrap().iter().filter_map(|frame| {
        let layers = &frame["_source"]["layers"];
        let number = layers["frame"]["frame.number"].as_str()?.to_owned();
        Some((number, octets(layers[format!("{layer}_raw")][0].as_str()?)))
    });
    found.collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn read(transaction: &Transaction<'_>) -> Reading {
    let mut reading = Reading {
        otid: transaction.otid.map(hex),
        dtid: transaction.dtid.map(hex),
        ..Reading::default()
    };
    let mut components = transaction.components();
    while let Some(component) = components.next().expect("it was read before") {
        let (id, number) = match component {
            Component::Invoke { id, operation, .. } => (Some(id), Some(operation)),
            Component::Result { id, operation, .. } => (Some(id), operation),
            Component::Error { id, error, .. } => (Some(id), Some(error)),
            Component::Reject { .. } => (None, None),
        };
        reading.invokes.extend(id.map(|id| id.to_string()));
        reading.numbers.extend(number.and_then(Number::local).map(|n| n.to_string()));
    }
    reading
}

#[test]
fn every_map_message_is_read_as_tshark_reads_it_and_passes_unchanged() {
    let Some(folder) = tests::lab("captures") else {
        return tests::skip("no captures beside the repository");
    };
    if !tests::has_program("tshark") {
        return tests::skip("no tshark");
    }
    let (mut messages, mut transactions, mut identities) = (0, 0, 0);
    for name in CAPTURES {
        let capture = folder.join(name);
        let judged = judge(&capture);
        for (number, octets) in layers(&capture, "sccp") {
            let at = format!("{name}, frame {number}");
            let theirs = &judged[&number];
            if octets.first().is_some_and(|kind| is_connection(*kind)) {
                continue;
            }
            let unit = match Unitdata::new(&octets, false) {
                Ok(unit) => unit,
                Err(why) if theirs.malformed => {
                    println!("{at}: malformed to both ({why})");
                    continue;
                }
                Err(why) => panic!("{at}: {why}"),
            };
            messages += 1;
            let mut out = Vec::new();
            assert!(change(&unit, &Changes::default(), &mut out));
            assert_eq!(out, octets, "{at}");
            if !theirs.protocols.contains(":tcap") {
                continue;
            }
            let transaction = match Transaction::new(unit.data, 0) {
                Ok(transaction) => transaction,
                // What tshark calls malformed, or reads no MAP in, may be so to us as well.
                Err(why) if theirs.malformed || !theirs.protocols.contains("gsm_map") => {
                    println!("{at}: not read ({why})");
                    continue;
                }
                Err(why) => panic!("{at}: {why}"),
            };
            if theirs.malformed || !theirs.protocols.contains("gsm_map") {
                continue;
            }
            transactions += 1;
            assert_eq!(read(&transaction), theirs.reading, "{at}");
            if let Some(map) = attempt(&transaction)
                && let Some(imsi) = map.imsi
            {
                identities += 1;
                assert_eq!(Some(imsi.in_clear()), theirs.imsi, "{at}");
            }
        }
        for (number, octets) in layers(&capture, "m3ua") {
            passes(&octets, &format!("{name}, frame {number}"));
        }
    }
    println!("{messages} SCCP messages, {transactions} with MAP, {identities} identities compared");
    assert!(messages >= 40 && transactions >= 30 && identities >= 9);
}

/// Through the whole stack by its point code, over an association with the same routing context.
fn passes(octets: &[u8], at: &str) {
    let data = Data::new(octets).unwrap_or_else(|why| panic!("{at}: {why}"));
    let name = Symbol(1);
    let server = Server {
        name,
        routing_context: data.context.map(|context| context.1),
        network_appearance: data.appearance,
        point_codes: vec![data.dpc],
        mode: TrafficMode::Loadshare,
        links: vec![LinkId(1)],
        links_min: 1,
        registers: false,
    };
    let stack = Ss7::new(
        Config {
            variant: Variant::Itu,
            point_codes: vec![PointCode(16_383)],
            network_indicator: 0,
            links: vec![None, None],
            servers: vec![server],
            table: Table::new(Vec::new(), &[(data.dpc, name)]),
            timers: Timers::default(),
            dialogue_timeout_ms: 1_000,
            abort_expired: false,
            refuse_connections: false,
        },
        1,
    );
    let Ok(view) = stack.view(octets) else { return println!("{at}: not read, so not passed") };
    let mut out = Vec::new();
    stack.rewrite(&view, &Onward::Pass { to: LinkId(1), group: Some(name) }, &mut out);
    assert_eq!(out, octets, "{at}");
}
