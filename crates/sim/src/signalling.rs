//! The SS7 side of `ipxsim`: the arguments of `hlr`, `vlr` and `sgsn`, and their runs.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sctp::{Backend, Peer};
use sim::ImsiRange;
use sim::hss::Subscribers;
use sim::mme::{Live, Load};
use sim::ss7::asp::AspConfig;
use sim::ss7::hlr::Hlr;
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::ss7::load::{Procedure, VisitedConfig, run};
use sim::ss7::map::Version;
use sim::ss7::title::MobileTitle;
use sim::ss7::visited::{Identity, Role};

use super::{Outcome, duration, progress, say, signals, stop_when};

#[derive(Clone, Copy, ValueEnum)]
enum Transport {
    /// Our own SCTP inside UDP
    Udp,
    /// The kernel's SCTP
    Kernel,
    /// Our own SCTP over IP
    Raw,
}

#[derive(Args)]
pub(crate) struct LinkArgs {
    /// Address of the signalling gateway; may be repeated when it is multi-homed
    #[arg(long, default_value = "127.0.0.1")]
    gateway: Vec<IpAddr>,
    /// Its SCTP port
    #[arg(long, default_value_t = 2905)]
    gateway_port: u16,
    #[arg(long, value_enum, default_value = "udp")]
    transport: Transport,
    /// The gateway's UDP port for encapsulated SCTP
    #[arg(long, default_value_t = 9899)]
    encapsulation_port: u16,
    /// Our own UDP port for encapsulated SCTP [a free one]; further associations count up
    #[arg(long, default_value_t = 0)]
    local_encapsulation_port: u16,
    /// Local address; may be repeated
    #[arg(long, default_value = "127.0.0.1")]
    local: Vec<IpAddr>,
    /// Local SCTP port [a free one]; further associations count up
    #[arg(long, default_value_t = 0)]
    local_port: u16,
    /// Associations, each an ASP
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Own point code, a number or 3-8-3
    #[arg(long, value_parser = point_code)]
    point_code: u32,
    /// The gateway's point code
    #[arg(long, value_parser = point_code, default_value = "2-0-1")]
    gateway_point_code: u32,
    /// 0 international, 2 national
    #[arg(long, default_value_t = 0)]
    network_indicator: u8,
    #[arg(long)]
    routing_context: Option<u32>,
    /// ASP identifier of the first association; further ones count up
    #[arg(long)]
    asp_identifier: Option<u32>,
    /// Seconds between two BEATs; 0 for none
    #[arg(long, default_value_t = 10)]
    heartbeat: u64,
    /// Send XUDT instead of UDT
    #[arg(long)]
    extended: bool,
    /// A dialogue without an end for so long is lost
    #[arg(long, default_value_t = 15_000)]
    timeout_ms: u64,
    /// End after this long (20s, 500ms, 2m)
    #[arg(long = "for", value_parser = duration)]
    lasting: Option<Duration>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    json: bool,
}

impl LinkArgs {
    fn config(&self) -> LinkConfig {
        let gateway = Peer {
            addresses: self.gateway.clone(),
            port: self.gateway_port,
            encapsulation_port: self.encapsulation_port,
        };
        let mut asp = AspConfig::new(self.point_code, self.gateway_point_code);
        asp.network_indicator = self.network_indicator;
        asp.routing_context = self.routing_context;
        asp.asp_id = self.asp_identifier;
        asp.heartbeat = self.heartbeat.saturating_mul(1_000_000_000);
        let mut link = LinkConfig::new(gateway, asp);
        link.backend = match self.transport {
            Transport::Udp => Backend::Udp { encapsulation_port: self.local_encapsulation_port },
            Transport::Kernel => Backend::Kernel,
            Transport::Raw => Backend::Raw,
        };
        link.local.clone_from(&self.local);
        link.local_port = self.local_port;
        link.connections = self.connections;
        link
    }
}

#[derive(Args)]
pub(crate) struct HlrArgs {
    #[command(flatten)]
    link: LinkArgs,
    /// The HLR's E.164 number
    #[arg(long, default_value = "34609000001")]
    number: String,
    /// Know the IMSIs with this prefix; may be repeated [all are known]
    #[arg(long, conflicts_with = "known")]
    imsi_prefix: Vec<String>,
    /// Know the IMSIs FROM..TO, both inside
    #[arg(long)]
    known: Option<ImsiRange>,
    /// Answer UL and UGL from node numbers that start so with roamingNotAllowed; may be repeated
    #[arg(long)]
    refuse: Vec<String>,
    /// No insertSubscriberData inside the dialogue
    #[arg(long)]
    no_insert: bool,
    /// Do not keep serving nodes, send no cancelLocation
    #[arg(long)]
    no_cancel: bool,
}

#[derive(Args)]
pub(crate) struct VisitedArgs {
    #[command(flatten)]
    link: LinkArgs,
    /// The node's E.164 number [447700900123 for a VLR, 447700900200 for an SGSN]
    #[arg(long)]
    number: Option<String>,
    /// The MSC's E.164 number [the VLR's]
    #[arg(long)]
    msc: Option<String>,
    /// The SGSN's address
    #[arg(long, default_value = "192.0.2.1")]
    gsn_address: Ipv4Addr,
    /// How IMSIs become E.214 titles: MCCMNC=CCNDC; may be repeated
    #[arg(long, default_value = "21407=34609")]
    title: Vec<MobileTitle>,
    /// Call this HLR number instead
    #[arg(long)]
    hlr: Option<String>,
    /// Closed loop: so many dialogues outstanding over all associations
    #[arg(long, default_value_t = 64, conflicts_with = "rate")]
    window: usize,
    /// Open loop: so many a second; latency counts from the intended send time
    #[arg(long)]
    rate: Option<f64>,
    /// End after so many dialogues; this or --for must be given
    #[arg(long, required_unless_present = "lasting")]
    count: Option<u64>,
    /// Subscribers FROM..TO, both inside, taken in turn
    #[arg(long, default_value = "214070000000000..214070000999999")]
    imsi: ImsiRange,
    /// ul (an SGSN's is updateGprsLocation), sai, attach (SAI, then UL), purge or mix
    #[arg(long, default_value = "ul")]
    procedure: Procedure,
    /// MAP versions, by turns of the subscribers: 1,2,3
    #[arg(long, value_delimiter = ',', default_value = "3")]
    version: Vec<Version>,
    /// No progress lines
    #[arg(long)]
    quiet: bool,
}

fn point_code(text: &str) -> Result<u32, String> {
    let wrong = || format!("'{text}': expected a number or 3-8-3, as in 2-1-1");
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let parts = text.split('-').map(|p| p.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    match parts.as_deref() {
        Some([zone @ 0..=7, area @ 0..=255, point @ 0..=7]) => Ok(zone << 11 | area << 3 | point),
        _ => Err(wrong()),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

pub(crate) fn hlr(args: HlrArgs) -> Outcome {
    let mut config = HomeConfig::new(&args.number);
    config.subscribers = match args.known {
        Some(range) => Subscribers::Range(range),
        None if args.imsi_prefix.is_empty() => Subscribers::All,
        None => Subscribers::Prefixes(args.imsi_prefix),
    };
    config.refuse = args.refuse;
    config.insert = !args.no_insert;
    config.cancel = !args.no_cancel;
    config.extended = args.link.extended;
    let hlr = Hlr::new(config, args.link.config(), Duration::from_millis(args.link.timeout_ms));
    let counters = hlr.counters();
    let (handle, stop) = sim::stop();
    runtime()?.block_on(async {
        tokio::spawn(stop_when(args.link.lasting, handle));
        hlr.run(stop).await
    })?;
    let snapshot = counters.snapshot();
    if args.link.json {
        say(&serde_json::to_string(&snapshot)?);
    } else {
        say(&serde_json::to_string_pretty(&snapshot)?);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn visited(role: Role, args: VisitedArgs) -> Outcome {
    let usual = if role == Role::Vlr { "447700900123" } else { "447700900200" };
    let mut identity = Identity::new(role, args.number.as_deref().unwrap_or(usual));
    if let Some(msc) = args.msc {
        identity.msc = msc;
    }
    identity.gsn = args.gsn_address;
    identity.titles = args.title;
    identity.hlr = args.hlr;
    identity.imsi_digits = args.imsi.digits;
    identity.extended = args.link.extended;
    // A restarted node must not meet what is left of its last run's dialogues.
    identity.first_tid = std::process::id() << 16;
    let mut config = VisitedConfig::new(identity, args.link.config(), args.imsi);
    config.load = args.rate.map_or(Load::Window(args.window), Load::Rate);
    config.count = args.count;
    config.duration = args.link.lasting;
    config.procedure = args.procedure;
    config.versions = args.version;
    config.timeout = Duration::from_millis(args.link.timeout_ms);

    let (handle, stop) = sim::stop();
    std::thread::spawn(move || signals(handle));
    let live = Arc::new(Live::default());
    if !args.quiet {
        let live = live.clone();
        std::thread::spawn(move || progress(&live));
    }
    let report = runtime()?.block_on(run(config, stop, live))?;
    if args.link.json {
        say(&serde_json::to_string(&report)?);
    } else {
        say(&report.to_string());
    }
    // As for `mme`: 0 when all is well, 2 when faults were seen, 1 when the run itself failed.
    Ok(if report.report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
