//! Where a run happens: with root in namespaces of its own (network and processes), so that it
//! touches nothing of the machine and nothing survives it; else on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Outcome;

const INSIDE: &str = "IPX_BENCH_INSIDE";

/// Addresses and a folder for the files of one run; the folder is removed at the end.
pub(crate) struct Place {
    /// Whether it is a namespace of its own.
    pub(crate) private: bool,
    /// Where the relay listens.
    pub(crate) relay: SocketAddr,
    /// Where the bare relay, the gateway's admin server and others may listen.
    pub(crate) admin: SocketAddr,
    /// The address of the asking side.
    pub(crate) asker: IpAddr,
    folder: PathBuf,
    homes: IpAddr,
    logs: AtomicU32,
}

/// Whether this process is the one that was started by hand.
pub(crate) fn is_outside() -> bool {
    std::env::var_os(INSIDE).is_none()
}

/// Runs this program again inside namespaces of its own where that is possible; returns its exit
/// code, or `None` when this process is to do the work itself.
pub(crate) fn enter() -> Option<ExitCode> {
    if !is_outside() {
        return None;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command
    };
    let mut probe = unshare();
    let probe = probe.args(["ip", "link"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return None;
    }
    let own = std::env::current_exe().ok()?;
    let status = unshare().arg(own).args(std::env::args_os().skip(1)).env(INSIDE, "1").status();
    let code =
        status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

impl Place {
    /// Prepares the addresses.
    pub(crate) fn prepare() -> Outcome<Self> {
        let private = !is_outside();
        let folder = std::env::temp_dir().join(format!("ipx-bench-{}-{private}", own_number()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        // 192.0.2.0/24 is for documentation (RFC 5737); freeDiameter ignores 127/8.
        let at = |last| match private {
            true => IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            false => IpAddr::V4(Ipv4Addr::new(127, 0, 2, last)),
        };
        if private {
            run("ip", &["link", "set", "lo", "up"])?;
            for last in [10, 20, 30] {
                run("ip", &["address", "add", &format!("{}/32", at(last)), "dev", "lo"])?;
            }
        }
        Ok(Self {
            private,
            relay: SocketAddr::new(at(10), 3868),
            admin: SocketAddr::new(at(10), 9868),
            asker: at(30),
            homes: at(20),
            folder,
            logs: AtomicU32::new(0),
        })
    }

    /// Where the home with this number (from 1) listens.
    pub(crate) fn home(&self, number: usize) -> SocketAddr {
        SocketAddr::new(self.homes, 3868 + u16::try_from(number).unwrap_or(u16::MAX >> 1))
    }

    /// A file of this run.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of this run.
    pub(crate) fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.file(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// A log file that nobody has yet.
    pub(crate) fn log(&self) -> Outcome<PathBuf> {
        let number = self.logs.fetch_add(1, Relaxed);
        self.write(&format!("{number}.log"), "")
    }

    /// Removes what a contender wrote.
    pub(crate) fn sweep(&self) {
        let _absent_is_fine = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sweep();
    }
}

fn own_number() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_nanos()
}

fn run(program: &str, arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(program).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{program} {}: {other:?}", arguments.join(" "))),
    }
}
