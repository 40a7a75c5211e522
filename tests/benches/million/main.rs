//! A million transactions through the release gateway, three times.
//!
//!     cargo bench -p tests --bench million
//!     cargo bench -p tests --bench million -- --short     50,000 and fewer accidents, for CI
//!     cargo bench -p tests --bench million -- --json      one JSON object on stdout
//!
//! First S6a in peace, as fast as it goes: nothing may be lost, repeated or mixed up, and what the
//! homes saw and what the gateway refused must add up. Then at a steady rate while one home after
//! another is killed and restarted, five times in all, and the policies are reloaded a hundred
//! times, by SIGHUP and by saving a file in turn: every request must be answered, exactly once.
//! Then MAP, in peace again, over our own SCTP: the VLR and the HLR must agree on every outcome.
//! The exit status is 1 if that is not so. With root it runs in namespaces of its own.
#![allow(clippy::disallowed_methods, reason = "a benchmark has a clock, sockets and processes")]

#[path = "../rig/mod.rs"]
mod rig;
mod signalling;

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rig::load::{Homes, Shape, faults, home_host, run};
use rig::place::{self, Place};
use rig::process::Process;
use rig::{Outcome, gateway};
use sim::mme::Load;
use sim::tally::Report;
use tests::children::eventually;

const CONNECTIONS: usize = 4;

/// How much of everything.
#[derive(Clone, Copy)]
struct Plan {
    transactions: u64,
    restarts: u32,
    reloads: u32,
    /// How long the second load takes.
    lasting: Duration,
}

const FULL: Plan =
    Plan { transactions: 1_000_000, restarts: 5, reloads: 100, lasting: Duration::from_secs(50) };
const SHORT: Plan =
    Plan { transactions: 50_000, restarts: 2, reloads: 10, lasting: Duration::from_secs(8) };

/// One load and what is wrong with it.
struct Phase {
    name: &'static str,
    report: Report,
    restarts: u32,
    reloads: u32,
    wrong: Vec<String>,
}

fn main() -> ExitCode {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let plan = if has("--short") { SHORT } else { FULL };
    if place::is_outside()
        && let Err(why) = rig::build(&["ipxd", "ipxsim"])
    {
        eprintln!("million: {why}");
        return ExitCode::from(2);
    }
    place::enter().unwrap_or_else(|| match all(plan) {
        Ok(phases) => show(&phases, has("--json")),
        Err(why) => {
            eprintln!("million: {why}");
            ExitCode::from(2)
        }
    })
}

fn all(plan: Plan) -> Outcome<[Phase; 3]> {
    let place = Place::prepare()?;
    eprintln!("{} transactions in peace ...", plan.transactions);
    let peace = in_peace(&place, plan)?;
    place.sweep();
    eprintln!(
        "{} transactions, {} homes killed and restarted, {} reloads ...",
        plan.transactions, plan.restarts, plan.reloads
    );
    let trouble = in_trouble(&place, plan)?;
    place.sweep();
    eprintln!("{} dialogues of MAP in peace ...", plan.transactions);
    Ok([peace, trouble, signalling::in_peace(&place, plan)?])
}

fn in_peace(place: &Place, plan: Plan) -> Outcome<Phase> {
    let homes = Homes::start(place, CONNECTIONS)?;
    let mut process = gateway::start(place, CONNECTIONS)?;
    homes.connected()?;
    let report = run(place, shape(Load::Window(256), plan), false)?;
    process.check()?;
    let mut wrong = common_faults(&report, plan);
    let refused = report.answers.get("exp:5004").copied().unwrap_or(0);
    let seen = homes.requests();
    if seen + refused != plan.transactions {
        wrong.push(format!("the homes saw {seen} and {refused} were refused"));
    }
    if homes.repeated() > 0 {
        wrong.push(format!("the homes saw {} requests twice", homes.repeated()));
    }
    if report.answers.keys().any(|code| code != "2001" && code != "exp:5004") {
        wrong.push("there were other answers than 2001 and 5004".into());
    }
    Ok(Phase { name: "S6a in peace", report, restarts: 0, reloads: 0, wrong })
}

fn in_trouble(place: &Place, plan: Plan) -> Outcome<Phase> {
    let mut homes = (1..=CONNECTIONS).map(|n| start_home(place, n)).collect::<Outcome<Vec<_>>>()?;
    let mut process = gateway::start(place, CONNECTIONS)?;
    let up = || (links_up(place) >= CONNECTIONS as f64).then_some(());
    eventually(Duration::from_secs(20), up).ok_or("the gateway did not connect to all homes")?;
    let version = policy_version(place)?;
    let rate = plan.transactions as f64 / plan.lasting.as_secs_f64();
    let over = AtomicBool::new(false);
    let (report, restarts) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_and_restart(place, &mut homes, plan, &over));
        let reloader = scope.spawn(|| reload(place, &process, plan, &over));
        let report = run(place, shape(Load::Rate(rate), plan), false);
        over.store(true, Relaxed);
        let restarts = killer.join().map_err(|_| "the killer panicked")??;
        reloader.join().map_err(|_| "the reloader panicked")??;
        Ok::<_, String>((report?, restarts))
    })?;
    process.check()?;
    let reloads = policy_version(place)? - version;
    let mut wrong = common_faults(&report, plan);
    if restarts != plan.restarts {
        wrong.push(format!("the load was over after {restarts} restarts"));
    }
    if reloads != f64::from(plan.reloads) {
        wrong.push(format!("{reloads} reloads were put in force"));
    }
    if gateway::metric(place, "ipx_policy_reload_failures_total")? > 0.0 {
        wrong.push("a reload failed".into());
    }
    Ok(Phase { name: "S6a in trouble", report, restarts, reloads: reloads as u32, wrong })
}

fn shape(load: Load, plan: Plan) -> Shape {
    Shape { connections: CONNECTIONS, load, count: Some(plan.transactions), lasting: None }
}

fn common_faults(report: &Report, plan: Plan) -> Vec<String> {
    let mut wrong = Vec::new();
    if report.transactions != plan.transactions {
        wrong.push(format!("{} requests were sent", report.transactions));
    }
    if faults(report) > 0 {
        wrong.push(format!("{} faults", faults(report)));
    }
    wrong
}

fn links_up(place: &Place) -> f64 {
    gateway::metric(place, "ipx_link_up").unwrap_or(0.0)
}

fn policy_version(place: &Place) -> Outcome<f64> {
    gateway::metric(place, "ipx_policy_version")
}

fn start_home(place: &Place, number: usize) -> Outcome<Process> {
    let mut command = Command::new(rig::program("ipxsim")?);
    command.arg("hss").arg("--listen").arg(place.home(number).to_string());
    command.arg("--origin-host").arg(home_host(number));
    let mut process = Process::start(place, command)?;
    process.listening(place.home(number))?;
    Ok(process)
}

/// Kills one home after another, leaves it dead for a while, and starts it again.
fn kill_and_restart(
    place: &Place,
    homes: &mut [Process],
    plan: Plan,
    over: &AtomicBool,
) -> Outcome<u32> {
    let pause = plan.lasting / (plan.restarts * 2 + 2);
    let mut done = 0;
    for turn in 0..plan.restarts {
        if !rest(pause, over) {
            break;
        }
        let number = turn as usize % CONNECTIONS;
        let Some(home) = homes.get_mut(number) else { break };
        home.kill();
        rest(pause, over);
        *home = start_home(place, number + 1)?;
        done += 1;
    }
    Ok(done)
}

/// Reloads the policies, by SIGHUP and by saving a file in turn, each time until it is in force.
fn reload(place: &Place, process: &Process, plan: Plan, over: &AtomicBool) -> Outcome<()> {
    let pause = plan.lasting / (plan.reloads * 4);
    let mut version = policy_version(place)?;
    for turn in 0..plan.reloads {
        if !rest(pause, over) {
            break;
        }
        if turn % 2 == 0 {
            process.signal("HUP");
        } else {
            gateway::save_policies(place, turn)?;
        }
        let newer = || policy_version(place).ok().filter(|now| *now > version);
        let seen = eventually(Duration::from_secs(10), newer);
        version = seen.ok_or(format!("reload {turn} was not put in force in 10 s"))?;
    }
    Ok(())
}

/// Waits; false when the load is over.
fn rest(pause: Duration, over: &AtomicBool) -> bool {
    let until = Instant::now() + pause;
    while Instant::now() < until && !over.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
    }
    !over.load(Relaxed)
}

fn show(phases: &[Phase], json: bool) -> ExitCode {
    if json {
        let phases = phases.iter().map(|phase| {
            serde_json::json!({
                "name": phase.name, "restarts": phase.restarts, "reloads": phase.reloads,
                "report": phase.report, "wrong": phase.wrong,
            })
        });
        println!("{}", serde_json::json!({ "phases": phases.collect::<Vec<_>>() }));
    }
    for phase in phases.iter().filter(|_| !json) {
        println!(
            "\n{}: {} homes restarted, {} reloads\n{}",
            phase.name, phase.restarts, phase.reloads, phase.report
        );
        println!(
            "{}",
            if phase.wrong.is_empty() { "every request answered exactly once" } else { "WRONG" }
        );
    }
    let wrong =
        phases.iter().flat_map(|phase| phase.wrong.iter().map(move |why| (phase.name, why)));
    wrong.clone().for_each(|(name, why)| eprintln!("million, {name}: {why}"));
    ExitCode::from(u8::from(wrong.count() > 0))
}
