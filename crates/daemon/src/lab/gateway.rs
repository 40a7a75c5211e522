//! The gateway under the lab's eyes: a child `ipxd run`, asked over its admin API like any other.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::run::Ready;

/// How long the child may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);
/// The most of its log that is shown when it dies.
const LOG_SHOWN_OCTETS: usize = 4000;

/// What the child is started with.
pub(super) struct ChildArguments {
    pub(super) config: Option<PathBuf>,
    pub(super) records: Option<PathBuf>,
    pub(super) workers: Option<u8>,
    pub(super) listen: SocketAddr,
    /// The UDP port of SCTP, where the configuration has SCTP listeners.
    pub(super) sctp_udp: Option<u16>,
    pub(super) admin: SocketAddr,
}

/// A running gateway.
pub(super) struct Child {
    process: process::Child,
    /// Where it is reached.
    pub(super) ready: Ready,
    /// Where its log and, unless they are kept, its records are.
    folder: PathBuf,
    agent: ureq::Agent,
}

/// One line of `/peers`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PeerLine {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) state: String,
    pub(super) pending: u64,
    pub(super) waiting_octets: u64,
}

#[derive(Deserialize)]
struct Peers {
    peers: Vec<PeerLine>,
}

/// The parts of `/summary` that the lab shows.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Summary {
    pub(super) stacks: Vec<StackSummary>,
}

/// One stack of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct StackSummary {
    pub(super) stack: String,
    pub(super) exchanges: u64,
    pub(super) refusals: Vec<(String, u64)>,
    pub(super) exits: Vec<(String, u64)>,
}

impl Child {
    pub(super) fn start(arguments: &ChildArguments) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("ipxd-lab-{}", process::id()));
        let wrong = |what: &str, error: std::io::Error| format!("{what}: {error}");
        std::fs::create_dir_all(&folder)
            .map_err(|error| wrong(&folder.display().to_string(), error))?;
        let log = std::fs::File::create(folder.join("log"))
            .map_err(|error| wrong("the gateway's log", error))?;
        let own = std::env::current_exe().map_err(|error| wrong("this program", error))?;
        let mut command = Command::new(own);
        command
            .args(["run", "--json", "--end-with-parent"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        command.arg("--listen").arg(arguments.listen.to_string());
        if let Some(port) = arguments.sctp_udp {
            command.arg("--sctp-udp").arg(port.to_string());
        }
        command.arg("--admin").arg(arguments.admin.to_string());
        let records = arguments.records.clone().unwrap_or_else(|| folder.join("records"));
        command.arg("--records").arg(records);
        if let Some(config) = &arguments.config {
            command.arg("--config").arg(config);
        }
        if let Some(workers) = arguments.workers {
            command.arg("--workers").arg(workers.to_string());
        }
        let mut process = command.spawn().map_err(|error| wrong("the gateway", error))?;
        let mut line = String::new();
        let said = process.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let timeout = Some(Duration::from_secs(2));
        let settings = ureq::Agent::config_builder().timeout_global(timeout).proxy(None).build();
        let agent = ureq::Agent::new_with_config(settings);
        match (said, serde_json::from_str(&line)) {
            (Some(Ok(_)), Ok(ready)) => Ok(Self { process, ready, folder, agent }),
            _ => {
                let _ = process.wait();
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                let _ = std::fs::remove_dir_all(&folder);
                Err(format!("the gateway did not start:\n{log}"))
            }
        }
    }

    /// An error, with the end of its log, when it has died.
    pub(super) fn check(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the gateway ended ({status}):\n{}", self.log())),
            Err(error) => Err(format!("the gateway cannot be watched: {error}")),
        }
    }

    fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(self.folder.join("log")) {
            let _ = file.read_to_string(&mut text);
        }
        let from = text.len().saturating_sub(LOG_SHOWN_OCTETS);
        text.get(from..).unwrap_or(&text).to_owned()
    }

    /// Its links; none while it cannot be asked.
    pub(super) fn peers(&self) -> Vec<PeerLine> {
        self.get::<Peers>("peers").map(|peers| peers.peers).unwrap_or_default()
    }

    /// Its folds over records.
    pub(super) fn summary(&self) -> Summary {
        self.get("summary").unwrap_or_default()
    }

    fn get<T: serde::de::DeserializeOwned>(&self, what: &str) -> Option<T> {
        let url = format!("http://{}/{what}", self.ready.admin);
        self.agent.get(url).call().ok()?.body_mut().read_json().ok()
    }

    /// User and system time of all its threads so far.
    pub(super) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        // The name, in brackets, may hold anything; what follows it is numbers.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let ticks = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Duration::from_nanos(ticks.sum::<u64>() * tick_ns)
    }

    /// Ends it as an operator would, and takes away what it left.
    pub(super) fn stop(mut self) -> Result<(), String> {
        if let Some(pid) =
            i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let start = Instant::now();
        while start.elapsed() < END_WITHIN {
            if let Ok(Some(status)) = self.process.try_wait() {
                let log = self.log();
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("the gateway ended badly ({status}):\n{log}"))
                };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the gateway did not end".to_owned())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
