//! `ipxctl`, the operator's tool: one file a subcommand.
//!
//! | file | answers |
//! |---|---|
//! | `check` | are the files right, and do they decide as they promise |
//! | `explain` | what would happen to this procedure, and why |
//! | `peers` | how are the running gateway's links |
//! | `whatif/` | what would other policies have done with recorded traffic |

mod check;
mod explain;
mod peers;
mod whatif;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit status when files have mistakes or cases fail.
pub const STATUS_MISTAKES: u8 = 2;

/// The operator's tool of the signalling gateway.
#[derive(Debug, Parser)]
#[command(name = "ipxctl", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check gateway.toml and its policies and run their cases; every mistake is told, with its place.
    Check(check::Check),
    /// Tell what would happen to a procedure, and why.
    Explain(Box<explain::Explain>),
    /// Ask the running gateway for its links: states, queues, counters.
    Peers(peers::Peers),
    /// Replay recorded traffic against other policies, before anything is activated.
    Whatif(whatif::WhatIf),
}

/// Which configuration is meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The gateway.toml to use; without it, the policies that the program carries.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Does what the command line says.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Peers(peers) => peers.run(),
        Command::Whatif(whatif) => whatif.run(),
    }
}

impl Which {
    /// Loads what is meant.
    fn read(&self) -> Result<config::Loaded, config::Diagnostics> {
        config::load(self.config.as_deref(), &stacks::vocabulary())
    }

    /// Loads and compiles, as of a moment in seconds since 1970; tells every mistake on standard
    /// error.
    fn load(&self, unix_s: u64) -> Result<(config::Loaded, policy::Engine), ExitCode> {
        let words = stacks::vocabulary();
        let loaded = config::load(self.config.as_deref(), &words).map_err(|m| tell(&m))?;
        let engine = loaded
            .engine(procedure::Symbols::default(), std::sync::Arc::new(words), 0, unix_s)
            .map_err(|mistakes| tell(&mistakes))?;
        Ok((loaded, engine))
    }
}

/// The time now in seconds since 1970: what is explained is explained as of now.
#[allow(clippy::disallowed_methods, reason = "a command of the operator's reads the clock")]
fn unix_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Writes to standard output; a reader who has seen enough (`| head`) is no error.
fn say(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _gone = writeln!(std::io::stdout(), "{text}");
}

/// Writes mistakes to standard error, with colours where somebody looks.
fn tell(mistakes: &config::Diagnostics) -> ExitCode {
    use std::io::IsTerminal as _;
    eprint!("{}", mistakes.fancy(std::io::stderr().is_terminal()));
    ExitCode::from(STATUS_MISTAKES)
}
