//! Diameter relays side by side, in one go on this machine.
//!
//!     cargo bench -p tests --bench relays                       everything, about six minutes
//!     cargo bench -p tests --bench relays -- --short            so that it cannot rot, half a minute
//!     cargo bench -p tests --bench relays -- --connections 4 --only ipxd --only bare
//!     cargo bench -p tests --bench relays -- --json             one JSON object on stdout
//!     cargo bench -p tests --bench relays -- --seconds 5 --rounds 5
//!
//! Simulated MMEs send S6a Update-Location requests to simulated homes, with no relay between them
//! and through each of: the least relay there can be, ours with steering, policy, records on disk
//! and metrics all on, freeDiameter, and HAProxy in TCP mode; with 1, 4 and 16 connections a side.
//! First saturated (closed loop, 256 outstanding), then paced (open loop, 5,000 a second, latency
//! from the intended send time). Each load gets a fresh relay. Processor time is the relay
//! process's utime and stime; latency is what a relay adds to the median without one.
//!
//! With root it runs in network and process namespaces of its own; without, on loopback, and then
//! without freeDiameter, which ignores loopback addresses. What is not installed is said and left
//! out. The exit status is 1 if ours lost, repeated or mixed up an answer, or refused a share that
//! the policy does not ask for.
#![allow(clippy::disallowed_methods, reason = "a benchmark has a clock, sockets and processes")]

mod bare;
mod measure;
mod relay;
#[path = "../rig/mod.rs"]
mod rig;
mod table;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use relay::Relay;
use rig::place::{self, Place};
use rig::{Outcome, gateway};
use table::Row;

struct Options {
    connections: Vec<usize>,
    only: Vec<Relay>,
    rounds: usize,
    lasting: Duration,
    json: bool,
}

impl Options {
    fn takes(&self, relay: Relay) -> bool {
        relay == Relay::None || self.only.is_empty() || self.only.contains(&relay)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "--serve-bare" => {
            return report(serve_bare(rest).map(|()| true));
        }
        _ => options(&arguments),
    };
    let options = match done {
        Ok(options) => options,
        Err(why) => return report(Err(why)),
    };
    if place::is_outside()
        && options.takes(Relay::Ipxd)
        && let Err(why) = rig::build(&["ipxd"])
    {
        return report(Err(why));
    }
    place::enter().unwrap_or_else(|| report(compare(&options)))
}

fn report(outcome: Outcome<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            eprintln!("relays: {why}");
            ExitCode::from(2)
        }
    }
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options {
        connections: Vec::new(),
        only: Vec::new(),
        rounds: 3,
        lasting: Duration::from_secs(3),
        json: false,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: &String| text.parse().map_err(|_| format!("'{text}' is no number"));
        match argument.as_str() {
            "--short" => {
                options.connections = vec![4];
                options.rounds = 1;
                options.lasting = Duration::from_secs(1);
            }
            "--connections" => options.connections.push(number(value()?)?),
            "--only" => options.only.push(named(value()?)?),
            "--rounds" => options.rounds = number(value()?)?.max(1),
            "--seconds" => options.lasting = Duration::from_secs(number(value()?)? as u64),
            "--json" => options.json = true,
            // What cargo itself passes.
            "--bench" => {}
            other => return Err(format!("unknown option '{other}'; the head of main.rs tells")),
        }
    }
    if options.connections.is_empty() {
        options.connections = vec![1, 4, 16];
    }
    Ok(options)
}

fn named(name: &str) -> Outcome<Relay> {
    let known = Relay::ALL.into_iter().find(|relay| relay.name() == name);
    let names = Relay::ALL.map(Relay::name).join(", ");
    known.ok_or_else(|| format!("'{name}': expected one of {names}"))
}

fn serve_bare(arguments: &[String]) -> Outcome<()> {
    let addresses = arguments.iter().map(|text| text.parse::<SocketAddr>());
    let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let (listen, homes) = addresses.split_first().ok_or("--serve-bare LISTEN HOME...")?;
    bare::serve(*listen, homes).map_err(|error| error.to_string())
}

fn compare(options: &Options) -> Outcome<bool> {
    let place = Place::prepare()?;
    let mut rows = Vec::new();
    for relay in Relay::ALL.into_iter().filter(|relay| options.takes(*relay)) {
        if let Some(why) = relay.missing(&place) {
            eprintln!("{} is left out: {why}", relay.name());
            continue;
        }
        for &connections in &options.connections {
            match measure_one(&place, relay, connections, options) {
                Ok(row) => rows.push(row),
                Err(why) if relay == Relay::Ipxd => return Err(format!("ipxd: {why}")),
                Err(why) => eprintln!("{} is left out: {why}", relay.name()),
            }
        }
    }
    table::add_latencies(&mut rows);
    let ratios = table::ratios(&rows);
    if options.json {
        println!("{}", serde_json::json!({ "rows": rows, "ratios": ratios }));
    } else {
        table::print(&rows, &ratios);
    }
    Ok(rows.iter().filter(|row| row.relay == Relay::Ipxd).all(is_right))
}

fn measure_one(place: &Place, relay: Relay, connections: usize, options: &Options) -> Outcome<Row> {
    eprintln!("{} with {connections} connections a side ...", relay.name());
    let round = |_| {
        let full = measure::saturated(place, relay, connections, options.lasting)?;
        let paced = measure::paced(place, relay, connections, options.lasting)?;
        Ok((full, paced))
    };
    let rounds = (0..options.rounds).map(round).collect::<Outcome<Vec<_>>>()?;
    Ok(Row::new(relay, connections, &rounds))
}

/// Whether the gateway did its work: every answer right, and the expected share refused.
fn is_right(row: &Row) -> bool {
    let expected = gateway::steered_share();
    let right = row.faults == 0 && (row.refused_share - expected).abs() < expected / 2.0;
    if !right {
        eprintln!(
            "ipxd with {} connections: {} faults, {:.1} % refused where {:.1} % were expected",
            row.connections,
            row.faults,
            row.refused_share * 100.0,
            expected * 100.0
        );
    }
    right
}
