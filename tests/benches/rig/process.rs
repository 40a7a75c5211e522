//! A relay's process: what it used so far, and whether it is still there.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::children::{Running, eventually};

use super::Outcome;
use super::place::Place;

/// The kernel's unit of `utime` and `stime` (`CLK_TCK`: 100 a second on every Linux there is).
const TICK: Duration = Duration::from_millis(10);

/// A running program of a benchmark; dropping it ends it.
pub(crate) struct Process {
    running: Running,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in a log file of the place.
    pub(crate) fn start(place: &Place, mut command: Command) -> Outcome<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = place.log()?;
        let running = Running::start(&mut command, &log);
        let running = running.map_err(|error| format!("{name} could not be started: {error}"))?;
        Ok(Self { running, log })
    }

    /// User and system time of all its threads and of the children it has waited for.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The second field is a name in brackets, which may itself hold spaces and brackets.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: u32 =
            fields.skip(11).take(4).filter_map(|field| field.parse::<u32>().ok()).sum();
        TICK * ticks
    }

    /// [`Process::cpu`] once it has stood still for 200 ms, so that work put off is counted too.
    pub(crate) fn settled_cpu(&self) -> Duration {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut before = self.cpu();
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.cpu();
            if now.saturating_sub(before) <= TICK {
                return now;
            }
            before = now;
        }
        before
    }

    /// The most memory that it ever held, in kB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.running.id())).unwrap_or_default()
    }

    /// An error that quotes the end of its log if it has ended.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        let Some(status) = self.running.ended() else { return Ok(()) };
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let skip = log.lines().count().saturating_sub(8);
        let tail: Vec<&str> = log.lines().skip(skip).collect();
        Err(format!("ended with {status}: {}", tail.join("\n")))
    }

    /// Waits until it accepts connections at `address`.
    pub(crate) fn listening(&mut self, address: SocketAddr) -> Outcome<()> {
        let patience = Duration::from_secs(15);
        let second = Duration::from_secs(1);
        let answer = eventually(patience, || match self.check() {
            Err(why) => Some(Err(why)),
            Ok(()) => TcpStream::connect_timeout(&address, second).is_ok().then_some(Ok(())),
        });
        answer.unwrap_or_else(|| Err(format!("does not listen on {address}")))
    }

    /// Sends a signal by its name (`HUP`).
    pub(crate) fn signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }
}
