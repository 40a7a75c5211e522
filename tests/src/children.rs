//! Child processes that cannot outlive their test.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A child process: killed, by its own id, when it goes out of scope.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Starts `command` with both outputs in the file `log`.
    ///
    /// # Errors
    /// It cannot be started, or the log cannot be made.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let out = File::create(log)?;
        let errors = out.try_clone()?;
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn()?;
        Ok(Self { name, child })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// If the system cannot say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be asked")
    }

    /// Waits until it ends by itself, `limit` long at the most.
    ///
    /// # Panics
    /// If it has not ended by then.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let status = eventually(limit, || self.ended());
        status.unwrap_or_else(|| fail(&format!("{} did not end within {limit:?}", self.name)))
    }

    /// Asks it to end by a signal of `kill`'s name (`TERM`, `HUP`, `STOP`, `CONT`, `INT`).
    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let _ = Command::new("kill").args(["-s", signal, &id]).status();
    }

    /// Kills it now.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks `probe` every few milliseconds until it has something; `None` when `limit` is over.
pub fn eventually<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[allow(clippy::panic, reason = "that is how a test fails")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}
