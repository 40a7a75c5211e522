//! `ipxd run` as a child of a test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::children::{Running, eventually};

/// How long the daemon may take to listen.
const START: Duration = Duration::from_secs(20);
/// The file that takes all it prints.
const LOG: &str = "ipxd.log";
/// How long an admin request may take.
const ADMIN: Duration = Duration::from_secs(5);

/// A running gateway.
#[derive(Debug)]
pub struct Daemon {
    running: Running,
    listens: Vec<SocketAddr>,
    admin: SocketAddr,
    folder: PathBuf,
}

impl Daemon {
    /// Starts the gateway with this `gateway.toml`, whose records go to the folder `journal`, and
    /// waits until it says that it is ready.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("gateway.toml");
        std::fs::write(&file, config).expect("the configuration is written");
        let mut command = Command::new(program());
        command.args(["run", "--json", "--config"]).arg(&file).current_dir(folder);
        let mut running = Running::start(&mut command, &folder.join(LOG)).expect("ipxd starts");
        let ready = eventually(START, || {
            let log = std::fs::read_to_string(folder.join(LOG)).unwrap_or_default();
            assert!(running.ended().is_none(), "ipxd ended: {log}");
            let mut said = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            said.find(|line: &Value| line["listen"].is_array() && line["admin"].is_string())
        });
        let ready = ready.expect("ipxd says that it is ready");
        let address = |value: &Value| {
            let text = value.as_str().expect("an address");
            text.parse().expect("an address")
        };
        let listens = ready["listen"].as_array().expect("a list").iter().map(address).collect();
        let admin = address(&ready["admin"]);
        Self { running, listens, admin, folder: folder.into() }
    }

    /// Where it accepts connections, by its first listener.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listens[0]
    }

    /// Where it accepts connections, in the order of its configuration.
    #[must_use]
    pub fn listens(&self) -> &[SocketAddr] {
        &self.listens
    }

    /// Where its admin API is.
    #[must_use]
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Sends it a signal of `kill`'s name.
    pub fn signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it has not ended by then.
    pub fn ended(&mut self, limit: Duration) -> std::process::ExitStatus {
        self.running.wait(limit)
    }

    /// The body of an admin resource; nothing when it does not answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, ADMIN).ok()?;
        stream.set_read_timeout(Some(ADMIN)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.into())
    }

    /// Status and body of what a POST under this Host, with these further header lines, is answered.
    ///
    /// # Panics
    /// If it is not answered.
    #[must_use]
    pub fn post(&self, path: &str, host: &str, more: &str) -> (u16, String) {
        let mut stream = TcpStream::connect_timeout(&self.admin, ADMIN).expect("it listens");
        stream.set_read_timeout(Some(ADMIN)).expect("a timeout");
        write!(stream, "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: 0\r\n{more}\r\n")
            .expect("it is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.into())
    }

    /// `/peers`.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn peers(&self) -> Value {
        let body = self.get("/peers").expect("the admin API answers");
        serde_json::from_str(&body).expect("it is JSON")
    }

    /// Waits until these peers are up.
    ///
    /// # Panics
    /// If they are not in time.
    pub fn wait_up(&self, names: &[&str], limit: Duration) {
        let all_up = || {
            let peers = self.peers();
            let is_up = |name: &&str| {
                let list = peers["peers"].as_array();
                list.is_some_and(|list| list.iter().any(|p| p["name"] == **name && p["up"] == true))
            };
            names.iter().all(is_up).then_some(())
        };
        let up = eventually(limit, all_up);
        assert!(up.is_some(), "{names:?} not up: {:#}\n{}", self.peers(), self.log());
    }

    /// Every record written so far.
    ///
    /// # Panics
    /// If the journal's folder cannot be read or a line is no JSON.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.folder.join("journal")).into_iter().flatten();
        let mut files: Vec<_> = files.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap_or_default());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(String::from).collect::<Vec<_>>()).collect();
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Resident memory, in KiB.
    ///
    /// # Panics
    /// If the system does not say.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.id()));
        let status = status.expect("the daemon is alive");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.expect("VmRSS in KiB")
    }

    /// Panics if it has ended.
    ///
    /// # Panics
    /// That is its purpose.
    pub fn assert_alive(&mut self) {
        let ended = self.running.ended();
        assert!(ended.is_none(), "ipxd ended with {ended:?}: {}", self.log());
        assert!(!self.log().contains("panicked"), "a panic: {}", self.log());
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(LOG)).unwrap_or_default()
    }
}

/// The daemon's program, built if it is not there as the sources stand.
fn program() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("daemon", "ipxd")).clone()
}

/// A program of a package of ours, built as the sources stand.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn built(package: &str, name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let folder = own.ancestors().nth(2).expect("tests are built two folders down");
    if crate::vm::is_inside() {
        // Whoever entered had it built outside.
        return folder.join(name);
    }
    let release = folder.file_name().is_some_and(|name| name == "release");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", package, "--bin", name]);
    command.args(release.then_some("--release")).current_dir(crate::root());
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "{name} does not build");
    folder.join(name)
}
