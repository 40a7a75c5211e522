//! `ipxsim world --live`: the world of handsets around a real daemon, over real sockets.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use sim::world::{self, Faults, Live, Order, SCENARIOS, STYLES, shipped};
use tests::children::eventually;
use tests::daemon::built;

/// How long a run is, in seconds, and how many take part.
const SECONDS: u32 = 24;
const SUBSCRIBERS: u32 = 60;

/// Whoever is refused moves or is let in, and there is one record for each request.
#[test]
fn a_small_city_around_a_real_daemon() {
    let text = |list, name| shipped(list, name).expect("it is shipped");
    let mut scenario = world::read(&text(SCENARIOS, "city")).expect("it is right");
    scenario = scenario.live(1).with_subscribers(SUBSCRIBERS);
    scenario.seconds = SECONDS;
    for class in &mut scenario.classes {
        class.arrive_s = 4;
    }
    let style = world::style(&text(STYLES, "ours")).expect("it is right");
    let live = Some(Live { ipxd: built("daemon", "ipxd") });
    let order = Order { scenario, style, policies: None, seed: 5, live, faults: Faults::default() };
    let figures = world::run(&order, &mut |_| ()).unwrap_or_else(|trouble| panic!("{trouble:?}"));
    assert!(figures.transactions >= u64::from(2 * SUBSCRIBERS), "{figures:?}");
    assert!(figures.refused > 0, "nobody was steered: {figures:?}");
}

/// A daemon that dies ends the run, and is named.
#[test]
fn a_daemon_that_dies_ends_the_run() {
    let mut command = Command::new(built("sim", "ipxsim"));
    command.args(["world", "--live", "--minutes", "2", "--subscribers", "20", "--ipxd"]);
    command.arg(built("daemon", "ipxd")).stdout(Stdio::null()).stderr(Stdio::piped());
    let running = command.spawn().expect("ipxsim starts");
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let daemon = eventually(Duration::from_secs(20), || {
        fs::read_to_string(&children).ok()?.split_whitespace().next().map(String::from)
    });
    // It has begun to listen by then, or will not be found ready: either way the run ends.
    std::thread::sleep(Duration::from_secs(3));
    let status = Command::new("kill").args(["-s", "KILL", &daemon.expect("a daemon")]).status();
    assert!(status.expect("kill starts").success());
    let output = running.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the gateway closed the connection") && said.contains("everything is in")
    );
    let folder = said.split("everything is in ").nth(1).and_then(|rest| rest.lines().next());
    let _gone = fs::remove_dir_all(folder.expect("its folder"));
}
