//! `ipxctl peers`: how are the running gateway's links?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Which, say, tell};

/// How long the daemon may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Asks the admin API.
#[derive(Debug, clap::Args)]
pub(crate) struct Peers {
    #[command(flatten)]
    which: Which,
    /// The admin API, where it is not the configuration's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// Print what the daemon answered as JSON.
    #[arg(long)]
    json: bool,
}

/// The answer, as far as the table shows it.
#[derive(Deserialize, Serialize)]
struct Answer {
    peers: Vec<Peer>,
    door: BTreeMap<String, u64>,
}

#[derive(Deserialize, Serialize)]
struct Peer {
    name: String,
    protocol: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin_host: Option<String>,
    transport: String,
    connect: Option<SocketAddr>,
    up: bool,
    state: String,
    pending: u64,
    waiting_octets: u64,
    counters: BTreeMap<String, u64>,
}

impl Peers {
    pub(crate) fn run(&self) -> ExitCode {
        let admin = match (self.admin, self.which.read()) {
            (Some(admin), _) => admin,
            (None, Ok(loaded)) => loaded.gateway.admin,
            (None, Err(mistakes)) => return tell(&mistakes),
        };
        match ask(admin) {
            Ok(answer) if self.json => {
                say(serde_json::to_string_pretty(&answer).unwrap_or_default());
                ExitCode::SUCCESS
            }
            Ok(answer) => {
                say(table(&answer));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("ipxctl: no answer from the gateway at http://{admin}/peers: {error}");
                eprintln!("is `ipxd run` (or `ipxd lab`) running, with its admin API there?");
                ExitCode::FAILURE
            }
        }
    }
}

fn ask(admin: SocketAddr) -> Result<Answer, ureq::Error> {
    let settings =
        ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).proxy(None).build();
    let agent = ureq::Agent::new_with_config(settings);
    agent.get(format!("http://{admin}/peers")).call()?.body_mut().read_json()
}

fn table(answer: &Answer) -> String {
    let mut text = format!(
        "  {:<18} {:<12} {:>8} {:>10} {:>12} {:>12} {:>9} {:>7}  {}\n",
        "link",
        "state",
        "pending",
        "waiting",
        "frames in",
        "frames out",
        "failovers",
        "strays",
        "peer"
    );
    for peer in &answer.peers {
        let count = |name: &str| peer.counters.get(name).copied().unwrap_or_default();
        let _ = writeln!(
            text,
            "{} {:<18} {:<12} {:>8} {:>10} {:>12} {:>12} {:>9} {:>7}  {} over {}{}",
            if peer.up { '●' } else { '○' },
            peer.name,
            peer.state,
            peer.pending,
            peer.waiting_octets,
            count("frames_in"),
            count("frames_out"),
            count("failovers"),
            count("strays_in"),
            peer.origin_host.as_deref().unwrap_or(&peer.protocol),
            peer.transport,
            peer.connect.map(|to| format!(", we connect to {to}")).unwrap_or_default(),
        );
    }
    let callers: Vec<String> =
        answer.door.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
    let callers = if callers.is_empty() { "nobody yet".to_owned() } else { callers.join(" · ") };
    let _ = write!(text, "\n  callers: {callers}");
    text
}
