//! `ipxsim`: simulated Diameter and SS7 peers for use against any gateway or agent.
#![allow(clippy::disallowed_methods, reason = "a program: it has threads, sockets and a clock")]

mod signalling;
mod world_cli;

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use sim::hss::{Hss, HssConfig, Subscribers};
use sim::mme::{Live, Load, MmeConfig, Procedure};
use sim::ss7::visited::Role;
use sim::{ImsiRange, Plmn, StopHandle};

/// Simulated peers: homes that answer, visited networks that ask and check.
#[derive(Parser)]
#[command(name = "ipxsim", version)]
struct Cli {
    #[command(subcommand)]
    peer: Peer,
}

#[derive(Subcommand)]
enum Peer {
    /// A home's HSS: answers ULR, AIR, PUR and NOR on connections it accepts or makes
    Hss(HssArgs),
    /// Visited MMEs: send S6a requests and check every answer against its request
    Mme(MmeArgs),
    /// A home's HLR: an ASP that answers UL, UGL, SAI and purge, inserts and cancels
    Hlr(signalling::HlrArgs),
    /// A visited VLR: an ASP that asks SAI, UL and purge, and checks every answer
    Vlr(signalling::VisitedArgs),
    /// A visited SGSN: the same with UGL
    Sgsn(signalling::VisitedArgs),
    /// A whole world in virtual time, to judge steering in: figures and checkers
    World(world_cli::WorldArgs),
}

#[derive(Args)]
struct HssArgs {
    /// Address to accept connections on; may be repeated [127.0.0.1:3870 without --connect]
    #[arg(long)]
    listen: Vec<SocketAddr>,
    /// Address to connect to instead; may be repeated
    #[arg(long)]
    connect: Vec<SocketAddr>,
    /// Local address for connections it makes
    #[arg(long)]
    source_ip: Option<IpAddr>,
    #[arg(long, default_value = "hss1.epc.mnc007.mcc214.3gppnetwork.org")]
    origin_host: String,
    /// [what follows the first label of --origin-host]
    #[arg(long)]
    origin_realm: Option<String>,
    /// Know the IMSIs with this prefix; may be repeated [all are known]
    #[arg(long, conflicts_with = "known")]
    imsi_prefix: Vec<String>,
    /// Know the IMSIs FROM..TO, both inside
    #[arg(long)]
    known: Option<ImsiRange>,
    /// Answer ULRs from a visited PLMN with an Experimental-Result-Code: PLMN=CODE; may be repeated
    #[arg(long, value_parser = reject)]
    reject: Vec<(Plmn, u32)>,
    /// Wait before each answer
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Answer 3004 TOO_BUSY to requests above this many a second
    #[arg(long)]
    capacity: Option<u32>,
    /// Keep the serving MME of each subscriber and send it CLR when another registers
    #[arg(long)]
    cancel: bool,
    /// Silence in seconds after which a DWR is sent
    #[arg(long, default_value_t = 30)]
    watchdog: u64,
    /// End after this long (20s, 500ms, 2m)
    #[arg(long = "for", value_parser = duration)]
    lasting: Option<Duration>,
    /// Print the counters as one JSON object at the end
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct MmeArgs {
    /// Where to connect; with several the connections take turns
    #[arg(long, default_value = "127.0.0.1:3868")]
    connect: Vec<SocketAddr>,
    /// The letter n in braces becomes the connection's number from 1; without it and with several
    /// connections the number goes behind the first label in place of a final 1: mme1.x, mme2.x
    #[arg(long, default_value = "mme1.epc.mnc010.mcc234.3gppnetwork.org")]
    origin_host: String,
    /// Local address to connect from
    #[arg(long)]
    source_ip: Option<IpAddr>,
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    connections: usize,
    /// Closed loop: so many outstanding over all connections
    #[arg(long, default_value_t = 64, conflicts_with = "rate")]
    window: usize,
    /// Open loop: so many procedures a second (an attach is two requests); latency counts from the intended send time
    #[arg(long)]
    rate: Option<f64>,
    /// End after so many requests; this or --for must be given
    #[arg(long, required_unless_present = "lasting")]
    count: Option<u64>,
    /// Subscribers FROM..TO, both inside, taken in turn
    #[arg(long, default_value = "214070000000000..214070000999999")]
    imsi: ImsiRange,
    /// Visited-PLMN-Id
    #[arg(long, default_value = "23410")]
    visited: Plmn,
    #[arg(long, default_value = "epc.mnc007.mcc214.3gppnetwork.org")]
    destination_realm: String,
    #[arg(long)]
    destination_host: Option<String>,
    /// ulr, air, attach (AIR, then ULR) or mix
    #[arg(long, default_value = "ulr")]
    procedure: Procedure,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// A request without an answer for so long is lost
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u64,
    /// Silence in seconds after which a DWR is sent
    #[arg(long, default_value_t = 30)]
    watchdog: u64,
    /// End after this long (20s, 500ms, 2m)
    #[arg(long = "for", value_parser = duration)]
    lasting: Option<Duration>,
    /// Print the report as one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// No progress lines
    #[arg(long)]
    quiet: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| format!("'{text}': expected 20s, 500ms or 2m"))?;
    let scale = match text.get(digits.len()..) {
        Some("ms") => 0.001,
        Some("" | "s") => 1.0,
        Some("m") => 60.0,
        _ => return Err(format!("'{text}': expected 20s, 500ms or 2m")),
    };
    Duration::try_from_secs_f64(number * scale).map_err(|e| format!("'{text}': {e}"))
}

fn reject(text: &str) -> Result<(Plmn, u32), String> {
    let wrong = || format!("'{text}': expected PLMN=CODE, for example 23410=5420");
    let (plmn, code) = text.split_once('=').ok_or_else(wrong)?;
    Ok((plmn.parse()?, code.parse().map_err(|_| wrong())?))
}

fn main() -> ExitCode {
    let done = match Cli::parse().peer {
        Peer::Hss(args) => hss(args),
        Peer::Mme(args) => mme(args),
        Peer::Hlr(args) => signalling::hlr(args),
        Peer::Vlr(args) => signalling::visited(Role::Vlr, args),
        Peer::Sgsn(args) => signalling::visited(Role::Sgsn, args),
        Peer::World(args) => Ok(world_cli::world(&args)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("ipxsim: {error}");
        ExitCode::from(1)
    })
}

/// On stdout; whoever read it may have gone.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn hss(args: HssArgs) -> Outcome {
    let mut config = HssConfig::new(&args.origin_host);
    if let Some(realm) = args.origin_realm {
        config.identity.realm = realm;
    }
    config.listen = args.listen;
    if config.listen.is_empty() && args.connect.is_empty() {
        config.listen.push(SocketAddr::from(([127, 0, 0, 1], 3870)));
    }
    config.connect = args.connect;
    config.source_ip = args.source_ip;
    config.subscribers = match args.known {
        Some(range) => Subscribers::Range(range),
        None if args.imsi_prefix.is_empty() => Subscribers::All,
        None => Subscribers::Prefixes(args.imsi_prefix),
    };
    config.rejects = args.reject;
    config.delay = Duration::from_millis(args.delay_ms);
    config.capacity = args.capacity;
    config.cancel = args.cancel;
    config.watchdog = Duration::from_secs(args.watchdog.max(1));
    let hss = Hss::bind(config)?;
    for address in hss.addresses()? {
        eprintln!("{} listens on {address}", args.origin_host);
    }
    let counters = hss.counters();
    let (handle, stop) = sim::stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::spawn(stop_when(args.lasting, handle));
        hss.run(stop).await
    })?;
    let counters = counters.snapshot();
    if args.json {
        say(&serde_json::to_string(&counters)?);
    } else {
        say(&serde_json::to_string_pretty(&counters)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// Stops the peers after `lasting`, or on SIGINT or SIGTERM.
async fn stop_when(lasting: Option<Duration>, handle: StopHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let over = async {
        match lasting {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        _ = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    handle.stop();
}

fn mme(args: MmeArgs) -> Outcome {
    let load = args.rate.map_or(Load::Window(args.window), Load::Rate);
    let first = args.connect.first().copied().ok_or("no address to connect to")?;
    let mut config = MmeConfig::new(first, &args.origin_host, args.imsi, args.visited);
    config.connect = args.connect;
    config.source_ip = args.source_ip;
    config.connections = args.connections;
    config.load = load;
    config.count = args.count;
    config.duration = args.lasting;
    config.destination_realm = args.destination_realm;
    config.destination_host = args.destination_host;
    config.procedure = args.procedure;
    config.threads = args.threads;
    config.timeout = Duration::from_millis(args.timeout_ms);
    config.watchdog = Duration::from_secs(args.watchdog.max(1));

    let (handle, stop) = sim::stop();
    std::thread::spawn(move || signals(handle));
    let live = Arc::new(Live::default());
    if !args.quiet {
        let live = live.clone();
        std::thread::spawn(move || progress(&live));
    }
    let report = sim::mme::run(config, &stop, live)?;
    if args.json {
        say(&serde_json::to_string(&report)?);
    } else {
        say(&report.to_string());
    }
    // Like `diff`: 0 when all is well, 2 when faults were seen, 1 when the run itself failed.
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn signals(handle: StopHandle) {
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        runtime.block_on(stop_when(None, handle));
    }
}

/// A line a second on stderr; ends with the process.
fn progress(live: &Live) {
    let (mut seconds, mut before) = (0u64, 0);
    loop {
        std::thread::sleep(Duration::from_secs(1));
        seconds += 1;
        let answered = live.answered.load(Relaxed);
        let outstanding = live.sent.load(Relaxed).saturating_sub(live.ended.load(Relaxed));
        let faults = live.faults.load(Relaxed);
        let rate = answered - before;
        before = answered;
        eprintln!(
            "{seconds:>4} s  {rate:>9} answers/s  {answered:>11} answered  \
             {outstanding:>7} outstanding  {faults} faults"
        );
    }
}
