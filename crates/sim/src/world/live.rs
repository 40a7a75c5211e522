//! The same world over sockets: a real `ipxd`, a TCP connection for each visited node and each home
//! network, and time that passes by itself.
//!
//! Everything is 4G: a device that has 2G and 3G as well does without them here. What the daemon
//! wrote down is read from its journal in the end, one record for each request.
#![allow(
    clippy::disallowed_methods,
    reason = "sockets, a child process and a clock are its purpose"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use procedure::Exit;
use serde_json::Value;

use super::calendar::TICK_MS;
use super::ground::{Ground, NONE};
use super::handset::Ask;
use super::plane::{Books, GATEWAY, Peers, Policies, Signalling};
use super::s6a::{ADDRESS, Hss, Mme, subscriber};
use crate::diameter::{base, parse};

/// Most subscribers of a live world: one thread serves all their networks.
pub const LIVE_SUBSCRIBERS_MAX: u32 = 5_000;
/// Longest live run, in minutes.
pub const LIVE_MINUTES_MAX: u32 = 30;
/// How long the daemon may take to listen, to let a peer in and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Octets that are read at a time.
const READ_OCTETS: usize = 1 << 16;

/// Live runs of this process so far, each with a folder of its own.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// How a live world is run.
#[derive(Clone, Debug)]
pub struct Live {
    /// The daemon's program.
    pub ipxd: PathBuf,
}

/// One peer's connection.
struct Wire {
    stream: TcpStream,
    /// What has come, whole messages and the beginning of one.
    came: Vec<u8>,
    /// What waits to leave.
    out: Vec<u8>,
}

/// A daemon and everybody it talks to.
pub(super) struct LivePlane {
    daemon: Child,
    folder: PathBuf,
    started: Instant,
    /// By link: first the MMEs, then the HSSs.
    wires: Vec<Wire>,
    mmes: Vec<Mme>,
    hsss: Vec<Hss>,
    books: Books,
    answered: u64,
    lost: bool,
}

impl LivePlane {
    /// Starts a daemon with these policies, and connects everybody to it.
    pub(super) fn new(
        ground: &Ground,
        policies: &Policies,
        seed: u64,
        live: &Live,
    ) -> Result<Self, String> {
        let peers = Peers::new(ground);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let folder = format!("ipxsim-live-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        write_files(&folder, ground, policies, &peers)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let (daemon, address) = start(live, &folder)?;
        let customers = 0..ground.scenario.customers.len();
        let mut plane = Self {
            daemon,
            folder,
            started: Instant::now(),
            wires: Vec::new(),
            mmes: (0..ground.nodes.len()).map(|node| Mme::new(ground, node)).collect(),
            hsss: customers.filter_map(|one| Hss::new(ground, one, seed)).collect(),
            books: Books::default(),
            answered: 0,
            lost: false,
        };
        for peer in &peers.0 {
            let mut cer = Vec::new();
            base::cer(&mut cer, peer, ADDRESS, (1, 1));
            let wire = Wire::connect(address, &cer);
            plane.wires.push(wire.map_err(|error| format!("{}: {error}", peer.host))?);
        }
        plane.started = Instant::now();
        Ok(plane)
    }

    /// Takes what came over a link to whoever it is for.
    fn hand_over(&mut self, link: usize, octets: &[u8], ground: &Ground, tick: u32) {
        let Some(wire) = self.wires.get_mut(link) else { return };
        let wrong = match link.checked_sub(self.mmes.len()) {
            None => self
                .mmes
                .get(link)
                .map(|mme| mme.take(octets, &mut self.books.heard, &mut wire.out)),
            Some(place) => self.hsss.get_mut(place).map(|hss| hss.take(ground, octets, tick)),
        };
        if wrong != Some(0) {
            self.books.wrong.push(format!("link {link}: frames that cannot be read"));
        }
    }

    fn lose(&mut self, what: String) {
        self.books.wrong.push(what);
        self.lost = true;
    }

    /// Ends the daemon and reads what it wrote down.
    fn read_journal(&mut self) -> Result<(), String> {
        terminate(&mut self.daemon)?;
        let folder = self.folder.join("journal");
        let files = fs::read_dir(&folder).map_err(|error| format!("no journal: {error}"))?;
        for file in files.flatten() {
            let text = fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
            for line in text.lines() {
                let line: Value = serde_json::from_str(line)
                    .map_err(|error| format!("{}: {error}", file.path().display()))?;
                self.note(&line);
            }
        }
        Ok(())
    }

    fn note(&mut self, line: &Value) {
        let ledger = &mut self.books.ledger;
        match line["finish"].as_str() {
            Some("stray" | "malformed") => ledger.odd += 1,
            _ => ledger.exchanges += 1,
        }
        ledger.refused += u64::from(line["provenance"] == "steering");
        let exit = Exit::ALL.into_iter().find(|exit| line["exit"] == exit.name());
        if let Some(exit) = exit {
            *ledger.exits.entry(exit.name()).or_default() += 1;
        }
    }
}

impl Signalling for LivePlane {
    fn books(&self) -> &Books {
        &self.books
    }

    fn books_mut(&mut self) -> &mut Books {
        &mut self.books
    }

    fn ask(&mut self, ground: &Ground, class: u8, ask: &Ask) {
        let (customer, imsi) = subscriber(ground, class, ask);
        let node = usize::from(ask.node);
        if let (Some(mme), Some(wire)) = (self.mmes.get_mut(node), self.wires.get_mut(node)) {
            self.books.transactions += 1;
            mme.ask(ask, customer, imsi, &mut wire.out);
        }
    }

    fn came_home(&mut self, customer: u8, imsi: u64, ground: &Ground, tick: u32) {
        if let Some(hss) = self.hsss.get_mut(usize::from(customer)) {
            hss.serve(ground, imsi, NONE, tick);
        }
    }

    fn turn(&mut self, ground: &Ground, tick: u32) {
        let due = self.started + Duration::from_millis(u64::from(tick) * u64::from(TICK_MS));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        self.books.heard.clear();
        let first = self.mmes.len();
        for (hss, wire) in self.hsss.iter_mut().zip(self.wires.iter_mut().skip(first)) {
            if let Some(due) = hss.due(tick) {
                wire.out.append(due);
            }
        }
        for link in 0..self.wires.len() {
            let Some(wire) = self.wires.get_mut(link) else { continue };
            match wire.exchange() {
                Ok(whole) if whole.is_empty() => {}
                Ok(whole) => self.hand_over(link, &whole, ground, tick),
                Err(error) => self.lose(format!("link {link}: {error}")),
            }
        }
        self.answered += self.books.heard.len() as u64;
    }

    fn is_at_rest(&self) -> bool {
        self.answered >= self.books.transactions
            && self.hsss.iter().all(Hss::is_at_rest)
            && self.wires.iter().all(|wire| wire.out.is_empty())
    }

    fn is_lost(&self) -> bool {
        self.lost
    }

    fn close(&mut self) -> Vec<String> {
        let mut left = std::mem::take(&mut self.books.wrong);
        if self.answered != self.books.transactions {
            let (answered, asked) = (self.answered, self.books.transactions);
            left.push(format!("{asked} requests of visited nodes, {answered} answers"));
        }
        if let Err(why) = self.read_journal() {
            left.push(why);
        }
        // One record for each request, of the visited nodes and of the homes.
        let orders: u64 = self.hsss.iter().map(Hss::orders).sum();
        self.books.frames = self.books.transactions + orders;
        self.books.ledger.frames = self.books.ledger.exchanges;
        if left.is_empty() && self.books.frames == self.books.ledger.frames {
            let _gone = fs::remove_dir_all(&self.folder);
        } else {
            left.push(format!("everything is in {}", self.folder.display()));
        }
        left
    }
}

impl Drop for LivePlane {
    fn drop(&mut self) {
        let _ended = self.daemon.kill();
        let _status = self.daemon.wait();
    }
}

impl Wire {
    /// Connects and is let in.
    fn connect(address: SocketAddr, cer: &[u8]) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.write_all(cer).map_err(text)?;
        let mut wire = Self { stream, came: Vec::new(), out: Vec::new() };
        let cea = loop {
            let mut octets = [0; 4096];
            let count = wire.stream.read(&mut octets).map_err(text)?;
            if count == 0 {
                return Err("is not let in".to_owned());
            }
            wire.came.extend_from_slice(octets.get(..count).unwrap_or_default());
            let whole = wire.whole();
            if !whole.is_empty() {
                break whole;
            }
        };
        let answer = parse::Message::parse(&cea).map_err(|_| "no CEA can be read".to_owned())?;
        let result = answer.avps().map_while(Result::ok).find_map(|avp| parse::Outcome::of(&avp));
        if !result.is_some_and(parse::Outcome::is_success) {
            return Err("is not let in".to_owned());
        }
        wire.stream.set_nonblocking(true).map_err(text)?;
        Ok(wire)
    }

    /// The whole messages of what has come.
    fn whole(&mut self) -> Vec<u8> {
        let mut end = 0;
        while let Some(Ok(Some(octets))) = self.came.get(end..).map(parse::frame_length) {
            if end + octets > self.came.len() {
                break;
            }
            end += octets;
        }
        let rest = self.came.split_off(end);
        std::mem::replace(&mut self.came, rest)
    }

    /// Writes what can leave, reads what has come; the whole messages of it.
    fn exchange(&mut self) -> Result<Vec<u8>, String> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return Err("the connection is closed".to_owned()),
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        let mut octets = vec![0; READ_OCTETS];
        loop {
            match self.stream.read(&mut octets) {
                Ok(0) => return Err("the gateway closed the connection".to_owned()),
                Ok(count) => self.came.extend_from_slice(octets.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(self.whole()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// Configuration and policies of the daemon.
fn write_files(
    folder: &Path,
    ground: &Ground,
    policies: &Policies,
    peers: &Peers,
) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("policies"))?;
    let mut text = format!(
        "[gateway]\norigin_host = \"{GATEWAY}\"\npolicies = \"policies\"\n\
                    [[listen]]\naddress = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                    [journal]\ndirectory = \"journal\"\nrestore_s = 0\n"
    );
    for ((name, _), peer) in peers.names(ground).iter().zip(&peers.0) {
        text.push_str(&format!(
            "[[peer]]\nname = \"{name}\"\norigin_host = \"{}\"\naddresses = [\"127.0.0.1\"]\n",
            peer.host
        ));
    }
    fs::write(folder.join("gateway.toml"), text)?;
    for source in &policies.0 {
        let name = Path::new(&source.name).file_name().unwrap_or_default();
        fs::write(folder.join("policies").join(name), &source.text)?;
    }
    Ok(())
}

/// Starts the daemon and waits until it says where it listens.
fn start(live: &Live, folder: &Path) -> Result<(Child, SocketAddr), String> {
    let mut command = Command::new(&live.ipxd);
    command.args(["run", "--json", "--config"]).arg(folder.join("gateway.toml"));
    let log = fs::File::create(folder.join("ipxd.log")).map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut daemon =
        command.spawn().map_err(|error| format!("{}: {error}", live.ipxd.display()))?;
    let (tell, told) = mpsc::channel();
    let lines = daemon.stdout.take().map(BufReader::new);
    thread::spawn(move || {
        for line in lines.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
            let said: Option<Value> = serde_json::from_str(&line).ok();
            let address = said.and_then(|said| said.pointer("/listen/0")?.as_str()?.parse().ok());
            if let Some(address) = address {
                let _gone: Result<(), mpsc::SendError<SocketAddr>> = tell.send(address);
            }
        }
    });
    match told.recv_timeout(PATIENCE) {
        Ok(address) => Ok((daemon, address)),
        Err(_) => {
            let _ended = daemon.kill();
            let _status = daemon.wait();
            Err(format!("ipxd did not start; {} says why", folder.join("ipxd.log").display()))
        }
    }
}

/// Asks the daemon to end, and waits for it.
fn terminate(daemon: &mut Child) -> Result<(), String> {
    let id = i32::try_from(daemon.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        let _gone = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        match daemon.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("ipxd ended with {status}")),
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("ipxd did not end".to_owned())
}
