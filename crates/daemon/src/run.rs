//! `ipxd run`: the daemon, from the configuration to SIGTERM.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use config::{Loaded, LogFormat, Transport};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::assemble::{self, Assembled, assemble};
use crate::{admin, reload};

/// How long open exchanges may take to finish once the daemon was told to end.
const GRACE: Duration = Duration::from_secs(5);

/// `ipxd run`'s own arguments.
#[derive(clap::Args, Debug)]
pub(crate) struct Run {
    /// The gateway's configuration; the shipped one unless given.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen for Diameter here, in clear, instead of where the configuration says. Port 0 takes a
    /// free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Take SCTP inside UDP on this port, whatever kind of SCTP the configuration's listeners say.
    /// 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    sctp_udp: Option<u16>,
    /// Serve the admin API here instead of where the configuration says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// Write records to this folder instead of where the configuration says.
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Worker threads; one for each four processors unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: Option<u8>,
    /// Print the `ready` line as JSON.
    #[arg(long)]
    json: bool,
    /// End when the process that started this one has ended, however that ended.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Where a started daemon is reached; the first line it prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The bound listeners.
    pub(crate) listen: Vec<SocketAddr>,
    /// The bound SCTP listeners.
    pub(crate) sctp: Vec<SctpReady>,
    /// The bound admin API.
    pub(crate) admin: SocketAddr,
    /// The gateway's Origin-Host.
    pub(crate) origin_host: String,
}

/// A bound SCTP listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SctpReady {
    /// What is spoken there.
    pub(crate) protocol: String,
    /// Its first address, and its SCTP port.
    pub(crate) address: SocketAddr,
    /// The UDP port of encapsulated SCTP; 0 without encapsulation.
    pub(crate) encapsulation_port: u16,
}

impl SctpReady {
    /// The listeners of these settings, as they were bound.
    fn of(settings: &config::Gateway, running: &net::Running) -> Vec<Self> {
        let is_sctp = |listen: &&config::Listen| matches!(listen.transport, Transport::Sctp(_));
        let listens = settings.listens.iter().filter(is_sctp);
        // Those that are listened on come first among the endpoints.
        let bound = listens.zip(running.endpoints()).map(|(listen, endpoint)| Self {
            protocol: listen.protocol.name().to_owned(),
            address: SocketAddr::new(listen.address.ip(), endpoint.port()),
            encapsulation_port: endpoint.encapsulation_port(),
        });
        bound.collect()
    }
}

impl fmt::Display for SctpReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.encapsulation_port {
            0 => write!(f, "{} over SCTP", self.address),
            port => write!(f, "{} over SCTP inside UDP port {port}", self.address),
        }
    }
}

/// Runs until SIGTERM or SIGINT. Exit status 2 for a configuration that does not check, 1 for
/// anything else that keeps it from running.
pub(crate) fn run(arguments: &Run) -> ExitCode {
    if arguments.end_with_parent {
        let signal = Some(rustix::process::Signal::TERM);
        if let Err(error) = rustix::process::set_parent_process_death_signal(signal) {
            eprintln!("ipxd: this process may outlive its parent: {error}");
        }
    }
    let loaded = match config::load(arguments.config.as_deref(), &stacks::vocabulary()) {
        Ok(loaded) => overridden(loaded, arguments),
        Err(mistakes) => {
            eprint!("{}", mistakes.fancy(std::io::stderr().is_terminal()));
            return ExitCode::from(2);
        }
    };
    start_log(&loaded);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(|error| format!("no event loop: {error}"))
        .and_then(|runtime| runtime.block_on(serve(&loaded, arguments.json)));
    match outcome {
        Ok(code) => code,
        Err(trouble) => {
            eprintln!("ipxd: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn overridden(mut loaded: Loaded, arguments: &Run) -> Loaded {
    let settings = &mut loaded.gateway;
    if let Some(address) = arguments.listen {
        assemble::listen_elsewhere(settings, address);
    }
    if let Some(port) = arguments.sctp_udp {
        assemble::sctp_in_udp(settings, port);
    }
    settings.admin = arguments.admin.unwrap_or(settings.admin);
    settings.workers = arguments.workers.map(usize::from).or(settings.workers);
    if arguments.records.is_some() {
        settings.journal.directory.clone_from(&arguments.records);
    }
    loaded
}

/// Logs go to stderr. `IPXD_LOG` (`debug`, or `info,net=trace`) overrides the configured level.
fn start_log(loaded: &Loaded) {
    let log = loaded.gateway.log;
    let wanted = std::env::var("IPXD_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.or_else(|| log.level.name().parse().ok()).unwrap_or_default();
    // The SCTP engine writes whole packets, and with them identities in clear: nobody may ask for that.
    let filter = filter.with_target("dcsctp", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Human => registry.with(lines.with_target(false)).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
}

async fn serve(loaded: &Loaded, json: bool) -> Result<ExitCode, String> {
    let address = loaded.gateway.admin;
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener =
        listener.map_err(|error| format!("admin API cannot listen on {address}: {error}"))?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    if !bound.ip().is_loopback() {
        tracing::warn!(address = %bound, "the admin API is open to other machines");
    }
    let Assembled { running, journal, admin, reloader } =
        assemble(loaded, assemble::random_seed())?;
    tokio::spawn(admin::serve(listener, admin));
    tokio::spawn(reload::watch(reloader));
    let origin_host = loaded.gateway.origin_host.clone();
    let sctp = SctpReady::of(&loaded.gateway, &running);
    let listen = running.addresses().to_vec();
    say_ready(&Ready { listen, sctp, admin: bound, origin_host }, json);
    let well = until_told(&running).await?;
    tracing::info!("ending: open exchanges may finish, peers are told");
    let ended = tokio::task::spawn_blocking(move || running.stop(GRACE)).await.unwrap_or(false);
    tokio::task::spawn_blocking(move || journal.flush()).await.unwrap_or_default();
    tracing::info!("ended");
    Ok(if well && ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for a signal to end; false when a thread of ours has died instead.
async fn until_told(running: &net::Running) -> Result<bool, String> {
    let wrong = |error: std::io::Error| format!("signals cannot be received: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(wrong)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(wrong)?;
    let mut look = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(true),
            _ = interrupt.recv() => return Ok(true),
            _ = look.tick() => if !running.is_whole() {
                tracing::error!("a thread has died; ending so that a supervisor can start anew");
                return Ok(false);
            }
        }
    }
}

fn say_ready(ready: &Ready, json: bool) {
    let mut out = std::io::stdout();
    let listen: Vec<String> = ready.listen.iter().map(ToString::to_string).collect();
    let listen = [listen, ready.sctp.iter().map(ToString::to_string).collect()].concat();
    // Nobody may be reading; that is no reason not to run.
    let _ = if json {
        writeln!(out, "{}", serde_json::to_string(ready).unwrap_or_default())
    } else {
        writeln!(
            out,
            "ready: {} listens on {}, admin API on http://{}",
            ready.origin_host,
            listen.join(", "),
            ready.admin
        )
    };
    let _ = out.flush();
    tracing::info!(listen = listen.join(", "), admin = %ready.admin, "ready");
}
