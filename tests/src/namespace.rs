//! A private network for one test: the test starts itself again inside a network namespace.

use std::process::Command;
use std::time::Duration;

use crate::children::Running;

/// Set for a test that runs inside.
const INSIDE: &str = "IPX_TEST_INSIDE_NAMESPACE";
/// How long a test may take inside.
const LIMIT: Duration = Duration::from_secs(150);

/// Whether the calling test runs inside a network of its own now, with these addresses.
///
/// Outside it runs `test` again inside and says `false` when that has passed; a process namespace
/// around it takes every child along when it ends.
///
/// # Panics
/// If the test fails inside.
#[must_use]
pub fn entered(test: &str, addresses: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        ip(&["link", "set", "lo", "up"]);
        for address in addresses {
            ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        return true;
    }
    if !may_unshare() {
        crate::skip("no right to make a network namespace here");
        return false;
    }
    let log = crate::scratch(&format!("inside-{test}")).join("log");
    let program = std::env::current_exe().expect("a program has a path");
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--"]).arg(program);
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let mut running = Running::start(&mut command, &log).expect("unshare starts");
    let status = running.wait(LIMIT);
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    println!("{said}");
    assert!(status.success(), "{test} failed in its namespace");
    false
}

fn may_unshare() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--net", "--pid", "--fork", "--kill-child", "--", "ip", "link", "set", "lo", "up"]);
    crate::has_program("ip") && probe.output().is_ok_and(|out| out.status.success())
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("ip starts");
    assert!(status.success(), "ip {arguments:?}");
}
