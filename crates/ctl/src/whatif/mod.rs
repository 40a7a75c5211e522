//! `ipxctl whatif`: what would other policies have done with recorded traffic?
//!
//! ```text
//! records, capture ─▷ Traffic ─┬▷ Moves: what refused devices did
//!                              ├▷ Side in force ─┐
//!                              └▷ Side tried ────┴▷ Report ▷ table, --json
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `traffic`, `records`, `captured` | what was recorded |
//! | `moves` | what refused devices do |
//! | `side`, `outcome`, `tally` | what a policy does with it, in numbers |
//! | `report`, `notes`, `table` | what that comes to, and what it rests on |

mod captured;
mod moves;
mod notes;
mod outcome;
mod progress;
mod records;
mod report;
mod side;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use config::{Diagnostics, Loaded, Origin};
use journal::Key;
use policy::Engine;
use procedure::Symbols;

use crate::{STATUS_MISTAKES, Which, say, tell};
use moves::Moves;
use progress::Progress;
use report::{Policies, Replay};
use side::Side;
use traffic::Traffic;

/// What is drawn is drawn alike under both policies.
const SEED: u64 = 0x6970_785f_7768_6174;

/// Replays recorded traffic against other policies.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatIf {
    #[command(flatten)]
    which: Which,
    /// The folder of policy files to try, for the same gateway.toml.
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// A folder of journal files (records*.jsonl); the configured one unless given.
    #[arg(long, value_name = "DIR", conflicts_with = "capture")]
    records: Option<PathBuf>,
    /// A capture (pcap or pcapng) instead of records.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Of 100 refused devices so many turn up on a preferred network, where the records tell of fewer
    /// than ten.
    #[arg(long, value_name = "PCT", default_value_t = 70, value_parser = clap::value_parser!(u8).range(0..=100))]
    moves: u8,
    /// Newly refused subscribers that are listed.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl WhatIf {
    pub(crate) fn run(&self) -> ExitCode {
        match self.replay() {
            Ok(()) => ExitCode::SUCCESS,
            Err(Trouble::Mistakes(mistakes)) => tell(&mistakes),
            Err(Trouble::Told(message, status)) => {
                eprintln!("ipxctl: {message}");
                status
            }
        }
    }

    fn replay(&self) -> Result<(), Trouble> {
        let words = stacks::vocabulary();
        let loaded = self.which.read().map_err(Trouble::Mistakes)?;
        let tried = loaded.with_policies(&self.policies, &words).map_err(Trouble::Mistakes)?;
        let (traffic, source) = self.traffic(&loaded)?;
        if traffic.events.is_empty() {
            let message = format!("{source}: there are no registrations to replay");
            return Err(Trouble::Told(message, ExitCode::FAILURE));
        }
        let start_us = traffic.reading.first_us / 1_000_000 * 1_000_000;
        let symbols = Symbols::default();
        let engine = |loaded: &Loaded| {
            let words = Arc::new(stacks::vocabulary());
            let engine = loaded.engine(symbols.clone(), words, SEED, start_us / 1_000_000);
            engine.map_err(Trouble::Mistakes)
        };
        let (in_force, tried_engine) = (engine(&loaded)?, engine(&tried)?);
        self.complain(&tried, &tried_engine);
        let moves = Moves::seen(&traffic, in_force.ruleset().compiled(), self.moves);
        let mut in_force = Side::new(in_force, &traffic, &moves, start_us);
        in_force.run(Progress::new("registrations replayed, in force"));
        let mut tried = Side::new(tried_engine, &traffic, &moves, start_us);
        tried.run(Progress::new("registrations replayed, tried"));
        let policies =
            Policies { in_force: origin(&loaded), tried: self.policies.display().to_string() };
        let (traffic, moves, moves_pct) = (&traffic, &moves, self.moves);
        let replay = Replay { traffic, moves, moves_pct, in_force, tried };
        let report = replay.report(source, policies, self.top);
        if self.json {
            let text = serde_json::to_string_pretty(&report);
            say(text.map_err(|error| Trouble::Told(error.to_string(), ExitCode::FAILURE))?);
        } else {
            say(table::table(&report).trim_end());
        }
        Ok(())
    }

    /// The traffic, and where it came from.
    fn traffic(&self, loaded: &Loaded) -> Result<(Traffic, String), Trouble> {
        let failed = |message| Trouble::Told(message, ExitCode::FAILURE);
        let settings = &loaded.gateway.journal;
        if let Some(path) = &self.capture {
            // Pseudonyms of a key that nobody keeps, where none is configured.
            let key = settings.pseudonym_key.map_or_else(random_key, Ok);
            let key = Key::new(key.map_err(|error| failed(error.to_string()))?);
            let traffic = captured::read(path, &loaded.gateway, &key).map_err(failed)?;
            return Ok((traffic, path.display().to_string()));
        }
        let folder = self.records.as_deref().or(settings.directory.as_deref());
        let Some(folder) = folder else {
            let message =
                "there are no records: [journal] has no directory; give --records or --capture";
            return Err(Trouble::Told(message.to_owned(), ExitCode::from(STATUS_MISTAKES)));
        };
        let key = Key::new(settings.pseudonym_key.unwrap_or_default());
        let traffic = records::read(folder, &loaded.gateway, &key).map_err(failed)?;
        Ok((traffic, folder.display().to_string()))
    }

    /// Warnings, and cases that fail; neither keeps the policies from being tried.
    fn complain(&self, tried: &Loaded, engine: &Engine) {
        let report = engine.ruleset().compiled().run_cases(&stacks::vocabulary());
        let list = tried.warnings.iter().chain(&report.failed).cloned().collect::<Vec<_>>();
        if !list.is_empty() {
            let _status = tell(&Diagnostics { list, sources: tried.sources.clone() });
        }
    }
}

/// Why nothing was replayed.
enum Trouble {
    Mistakes(Diagnostics),
    Told(String, ExitCode),
}

fn origin(loaded: &Loaded) -> String {
    match &loaded.origin {
        Origin::Shipped => "the shipped policies".to_owned(),
        Origin::Files(path) => shown(path),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn random_key() -> std::io::Result<[u8; 32]> {
    use std::io::Read as _;
    let mut key = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}
