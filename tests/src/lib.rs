//! What the tests share: real captures and their judge, children of our own, a daemon to talk to.
#![allow(
    clippy::disallowed_methods,
    reason = "a test program reads files and clocks, opens sockets and waits"
)]
#![allow(clippy::indexing_slicing, reason = "what a test expects and does not find fails it")]

pub mod asp;
pub mod capture;
pub mod children;
pub mod daemon;
pub mod desk;
pub mod namespace;
pub mod tshark;
pub mod vm;
pub mod world;

use std::path::PathBuf;

/// Says that a test cannot run here. It then passes, unless `IPX_SKIPS=fail` (as in the project's
/// own check, which installs everything) turns each skip into a failure.
///
/// # Panics
/// If `IPX_SKIPS` is `fail`.
#[allow(clippy::panic, reason = "that is how a test fails")]
pub fn skip(reason: &str) {
    assert!(std::env::var("IPX_SKIPS").as_deref() != Ok("fail"), "skipped: {reason}");
    println!("skipped: {reason}");
}

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// A file or folder of the laboratory beside the repository, where there is one.
#[must_use]
pub fn lab(path: &str) -> Option<PathBuf> {
    let found = root().join("../shared/lab").join(path);
    found.exists().then_some(found)
}

/// Whether a program is on the path.
#[must_use]
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(name).is_file())
}

/// The Python that has python-diameter and pycrate.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let beside = root().join("target/interop-venv");
    let venv = std::env::var_os("IPX_VENV").map_or(beside, PathBuf::from);
    let python = venv.join("bin/python");
    python.is_file().then_some(python)
}

/// An empty folder of this name for a test's files, in the build's own folder.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn scratch(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let profile = program.ancestors().nth(2).expect("tests are built two folders down");
    let folder = profile.join("scratch").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the build folder can be written");
    folder
}
