//! `ipxd`: the gateway as a daemon, and the laboratory around it.
//!
//! - `run` is the daemon: configuration, threads, signals.
//! - `assemble` gives each room what it needs.
//! - `admin`, `reload`, `names` serve the operator.
//! - `lab` is a whole roaming world on loopback.
#![allow(
    clippy::disallowed_methods,
    reason = "a program's shell: here threads are made, files read and clocks looked at"
)]

mod admin;
mod assemble;
mod lab;
mod names;
mod reload;
mod restore;
mod run;
mod signalling;

use std::process::ExitCode;

use clap::Parser;

/// An active IPX signalling gateway.
#[derive(Parser, Debug)]
#[command(name = "ipxd", version)]
enum Command {
    /// Run the gateway with real peers.
    Run(run::Run),
    /// Run the gateway in a simulated roaming world on loopback.
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Run(arguments) => run::run(&arguments),
        Command::Lab(arguments) => lab::run(&arguments),
    }
}
