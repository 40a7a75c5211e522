//! `ipxd lab`: the gateway and a roaming world around it, in one process tree on loopback.
//!
//! ```text
//! this process                                    child: `ipxd run`
//!   cast.rs   who plays whom
//!   world.rs  MMEs and HSSs ────────── TCP ─────▷  the gateway as everybody runs it
//!             VLRs, SGSNs, HLRs ── SCTP in UDP ─▷
//!   gateway.rs ◁─────────── GET /summary, /peers ── admin API
//!   display.rs                                      records ▷ a folder
//! ```
//!
//! The simulated operators share no code with the gateway, and what they count is set beside what
//! the gateway recorded.

mod cast;
mod display;
mod gateway;
mod report;
mod world;

use std::io::{IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use config::{Listen, Protocol, SctpBackend, Transport};

use self::cast::Doors;
use self::gateway::{Child, ChildArguments};
use self::report::Report;
use self::world::World;

/// How often the display is drawn.
const DRAW: Duration = Duration::from_secs(1);
/// The gateway and all simulated peers must be up by then.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// Records still on their way when the world has stopped are waited for this long.
const SETTLE: Duration = Duration::from_secs(2);

/// `ipxd lab`'s own arguments.
#[derive(clap::Args, Debug)]
pub(crate) struct Lab {
    /// The gateway's configuration; the shipped one unless given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End by itself after this long, for example 20s, 500ms or 2m.
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    lasting: Option<Duration>,
    /// Print the result as one JSON object; progress goes to stderr.
    #[arg(long)]
    json: bool,
    /// New attaches a second over all subscribers; retries come on top.
    #[arg(long, value_name = "N", default_value_t = 1000.0, value_parser = pace)]
    rate: f64,
    /// Share of tries over 2G and 3G where a network has these and 4G, 0 to 1. [0.6]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    map_share: Option<f64>,
    /// Subscribers of each customer.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    subscribers: u64,
    /// The same seed gives every handset the same character.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep the records in this folder; otherwise they end with the lab.
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// The gateway's worker threads; one for each four processors unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: Option<u8>,
}

fn span(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || "expected a time such as 20s, 1.5s or 2m".to_owned();
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" | "" => number,
        "m" => number * 60.0,
        _ => return Err(format!("`{unit}` is no unit: ms, s or m")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn pace(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// Runs the laboratory. Exit status 0 when nothing was lost, duplicated or mismatched, 1 when
/// something was or the lab could not run, 2 for a configuration that does not check.
pub(crate) fn run(arguments: &Lab) -> ExitCode {
    let loaded = match config::load(arguments.config.as_deref(), &stacks::vocabulary()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            eprint!("{}", mistakes.fancy(std::io::stderr().is_terminal()));
            return ExitCode::from(2);
        }
    };
    match play(arguments, &loaded) {
        Ok(report) => {
            let text = if arguments.json {
                format!("{}\n", serde_json::to_string(&report).unwrap_or_default())
            } else {
                display::final_table(&report)
            };
            // Whoever read may have gone (`| head`); the status still tells how it went.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if report.total.transactions == 0 {
                eprintln!("ipxd lab: nothing passed the gateway in this time");
            }
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(trouble) => {
            eprintln!("ipxd lab: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Lab, loaded: &config::Loaded) -> Result<Report, String> {
    let listens = &loaded.gateway.listens;
    let over_tcp = listens.iter().find(|listen| listen.protocol == Protocol::Diameter);
    let start = || {
        Child::start(&ChildArguments {
            config: arguments.config.clone(),
            records: arguments.records.clone(),
            workers: arguments.workers,
            listen: free(over_tcp.map(|listen| listen.address)),
            sctp_udp: listens.iter().find_map(free_for_sctp),
            admin: free(Some(loaded.gateway.admin)),
        })
    };
    // Another lab may have taken a port between the look and the child's start; now that is seen.
    let mut child = start().or_else(|_| start())?;
    let diameter = *child.ready.listen.first().ok_or("the gateway listens nowhere")?;
    let m3ua = child.ready.sctp.iter().find(|sctp| sctp.protocol == Protocol::M3ua.name());
    let m3ua = m3ua.map(|sctp| sctp::Peer {
        addresses: vec![sctp.address.ip()],
        port: sctp.address.port(),
        encapsulation_port: sctp.encapsulation_port,
    });
    let mut world = World::start(arguments, loaded, Doors { diameter, m3ua })?;
    let out = display::Display::new(arguments.json);
    out.intro(&world, &child.ready, loaded);
    wait_until_up(&mut child, &world)?;
    world.begin()?;
    let (start, mut before) = (Instant::now(), Report::default());
    let cpu = child.cpu();
    let told = told_to_end()?;
    while arguments.lasting.is_none_or(|lasting| start.elapsed() < lasting) {
        let left = arguments.lasting.map_or(DRAW, |l| l.saturating_sub(start.elapsed()));
        if told.recv_timeout(left.min(DRAW)).is_ok() {
            break;
        }
        child.check()?;
        let mut now = Report::read(&world, &child, start.elapsed());
        now.spend(child.cpu().saturating_sub(cpu));
        out.draw(&now, &before, &child.peers());
        before = now;
    }
    let lasted = start.elapsed();
    world.stop();
    let settled = Instant::now();
    let mut report = Report::read(&world, &child, lasted);
    while report.unrecorded() > 0 && settled.elapsed() < SETTLE {
        std::thread::sleep(Duration::from_millis(50));
        report = Report::read(&world, &child, lasted);
    }
    report.spend(child.cpu().saturating_sub(cpu));
    child.stop()?;
    Ok(report)
}

/// The configured address if nobody listens there, else any free port of the same host.
fn free(wanted: Option<SocketAddr>) -> SocketAddr {
    let wanted = wanted.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3868)));
    match TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}

/// The UDP port for an SCTP listener: the wanted one if nobody has it, else any.
fn free_for_sctp(listen: &Listen) -> Option<u16> {
    let wanted = wanted_for_sctp(listen)?;
    Some(UdpSocket::bind((listen.address.ip(), wanted)).map_or(0, |_| wanted))
}

/// The configured UDP port of an SCTP listener, or RFC 6951's: the kernel's SCTP and raw IP, which
/// need privileges, are done without.
fn wanted_for_sctp(listen: &Listen) -> Option<u16> {
    let Transport::Sctp(kind) = listen.transport else { return None };
    Some(match kind {
        SctpBackend::Udp { encapsulation_port } => encapsulation_port,
        SctpBackend::Kernel | SctpBackend::Raw => config::ENCAPSULATION_PORT,
    })
}

fn wait_until_up(child: &mut Child, world: &World) -> Result<(), String> {
    let start = Instant::now();
    loop {
        child.check()?;
        let missing = world.missing(&child.peers());
        if missing.is_empty() {
            return Ok(());
        }
        if start.elapsed() > UP_WITHIN {
            return Err(format!("these simulated peers did not come up: {}", missing.join(", ")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A channel that says when SIGINT or SIGTERM came.
fn told_to_end() -> Result<std::sync::mpsc::Receiver<()>, String> {
    let (tell, told) = std::sync::mpsc::channel();
    let wrong = |error: std::io::Error| format!("signals cannot be received: {error}");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(wrong)?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            let _ = tell.send(());
        });
    });
    Ok(told)
}
