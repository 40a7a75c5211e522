//! A kernel with SCTP for one test: a virtual machine that sees this machine's files and ends with
//! the test's command. `tests/vm/run` says how; this is how a test asks for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set for a test that runs inside.
const INSIDE: &str = "IPX_TEST_INSIDE_VM";

/// A virtual machine for one test; it is booted for each command anew.
#[derive(Debug)]
pub struct Vm {
    results: PathBuf,
}

/// What a command in the machine left behind.
#[derive(Debug)]
pub struct Output {
    /// Its exit status; 124 if it took too long, 125 if the machine did not come up.
    pub status: i32,
    /// What it printed, errors included.
    pub text: String,
}

impl Vm {
    /// A machine for the test of this name, or `None` (said, or an error with `IPX_SKIPS=fail`)
    /// where none can be run.
    ///
    /// # Panics
    /// If the project's script for it cannot be run.
    #[must_use]
    pub fn found(test: &str) -> Option<Self> {
        let missing = Command::new(program()).arg("--missing").output();
        let missing = missing.expect("tests/vm/run runs").stdout;
        if !missing.is_empty() {
            let missing = String::from_utf8_lossy(&missing).replace('\n', ", ");
            crate::skip(&format!("no virtual machine without {missing}"));
            return None;
        }
        Some(Self { results: crate::scratch(&format!("vm-{test}")) })
    }

    /// The folder that a command sees as `/results`.
    #[must_use]
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// Runs a script of bash in the machine, in the workspace's root.
    ///
    /// # Panics
    /// If the project's script for it cannot be run.
    #[must_use]
    pub fn run(&self, script: &str, limit: Duration) -> Output {
        self.command(&["bash", "-euo", "pipefail", "-c", script], limit)
    }

    fn command(&self, words: &[&str], limit: Duration) -> Output {
        let mut command = Command::new(program());
        command.args(["-t", &limit.as_secs().to_string(), "-e", &format!("{INSIDE}=1"), "-r"]);
        command.arg(&self.results).arg("--").args(words);
        let out = command.current_dir(crate::root()).stdin(Stdio::null()).output();
        let out = out.expect("tests/vm/run runs");
        let text = [&out.stdout[..], &out.stderr].concat();
        Output {
            status: out.status.code().unwrap_or(125),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }
}

/// Whether the calling test runs under a kernel with SCTP now: outside it runs `test` again inside
/// and says `false` when that has passed, or where it cannot be run.
///
/// # Panics
/// If the test fails inside.
#[must_use]
pub fn entered(test: &str, limit: Duration) -> bool {
    judged(test, limit, |_| ())
}

/// The same for a test that leaves something in `/results`, which is judged outside.
///
/// # Panics
/// If the test fails inside, or `judge` does.
#[must_use]
pub fn judged(test: &str, limit: Duration, judge: impl FnOnce(&Path)) -> bool {
    if is_inside() {
        return true;
    }
    let Some(vm) = Vm::found(test) else { return false };
    let program = std::env::current_exe().expect("a program has a path");
    let program = program.to_str().expect("a path in UTF-8");
    let out = vm.command(&[program, "--exact", test, "--nocapture"], limit);
    println!("{}", out.text);
    assert_eq!(out.status, 0, "{test} failed in its virtual machine");
    assert!(out.text.contains("1 passed"), "{test} is no test of this program");
    judge(vm.results());
    false
}

/// Whether this program runs in a machine now.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

fn program() -> PathBuf {
    crate::root().join("tests/vm/run")
}
