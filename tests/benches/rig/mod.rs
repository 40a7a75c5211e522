//! What both benchmarks share: a private place, child processes that are watched and ended, the
//! load pair, and the gateway under test.
#![allow(dead_code, reason = "two programs share this; neither uses all of it")]

pub(crate) mod gateway;
pub(crate) mod load;
pub(crate) mod place;
pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A result whose error is a sentence for people.
pub(crate) type Outcome<T> = Result<T, String>;

/// The realm of the simulated homes.
pub(crate) const HOME: &str = "epc.mnc007.mcc214.3gppnetwork.org";
/// The realm of the simulated visited network.
pub(crate) const VISITED: &str = "epc.mnc010.mcc234.3gppnetwork.org";

/// Builds programs of the workspace as they are measured.
pub(crate) fn build(programs: &[&str]) -> Outcome<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet"]).current_dir(tests::root());
    programs.iter().for_each(|name| _ = command.args(["--bin", name]));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the build of {} ended with {status}", programs.join(", "))),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}

/// A program of the workspace: it lies beside the folder of this benchmark's own file.
pub(crate) fn program(name: &str) -> Outcome<PathBuf> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let path = own.parent().and_then(Path::parent).map(|folder| folder.join(name));
    path.filter(|path| path.is_file()).ok_or_else(|| format!("{name} is not built"))
}
