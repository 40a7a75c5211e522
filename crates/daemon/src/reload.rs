//! Other policies while everything runs: whole or not at all, on SIGHUP, on a saved file, or over
//! the admin API. No connection, pending request or attempt counter is touched.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Diagnostics, Loaded};
use notify::{RecursiveMode, Watcher};
use policy::Engine;
use procedure::Policy;
use tokio::sync::mpsc;

/// Editors write a file in several steps: wait until the folder has been quiet for so long.
const QUIET_MS: u64 = 200;

/// How often it is looked whether the folder is still the one that is watched.
const FOLDER_LOOK: Duration = Duration::from_secs(2);

/// Reads the policy files again and puts them in force if they check.
pub(crate) struct Reloader {
    loaded: Loaded,
    engine: Arc<Engine>,
    failures: AtomicU64,
}

impl Reloader {
    pub(crate) fn new(loaded: Loaded, engine: Arc<Engine>) -> Self {
        Self { loaded, engine, failures: AtomicU64::new(0) }
    }

    /// The version in force and how many reloads did not check.
    pub(crate) fn state(&self) -> (u64, u64) {
        (self.engine.version(), self.failures.load(Ordering::Relaxed))
    }

    /// How many subscribers steering remembers.
    pub(crate) fn memory(&self) -> usize {
        self.engine.memory().in_use().subscribers
    }

    /// Reloads now. Either text is for people.
    pub(crate) fn reload(&self) -> Result<String, String> {
        let outcome = self.loaded.reread().and_then(|sources| {
            let list = |list| Diagnostics { list, sources: sources.clone() };
            self.engine.reload(&config::rules(&sources)).map_err(list)
        });
        match outcome {
            Ok(report) => {
                let counts = report.counts;
                tracing::info!(
                    version = report.version,
                    plans = counts.plans,
                    routes = counts.routes,
                    "policies reloaded"
                );
                for warning in &report.warnings {
                    tracing::warn!("{warning}");
                }
                Ok(format!(
                    "version {} in force: {} customers, {} plans, {} routes, {} groups\n",
                    report.version, counts.customers, counts.plans, counts.routes, counts.groups
                ))
            }
            Err(mistakes) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    mistakes = mistakes.list.len(),
                    "policies do not check; those in force stay"
                );
                for mistake in &mistakes.list {
                    tracing::error!("{mistake}");
                }
                Err(mistakes.to_string())
            }
        }
    }

    /// The folder to watch, where policies come from files.
    fn folder(&self) -> Option<&Path> {
        let files = matches!(self.loaded.origin, config::Origin::Files(_));
        files.then_some(self.loaded.gateway.policies.as_path())
    }
}

/// Reloads on SIGHUP and whenever a policy file was saved, until the process ends.
pub(crate) async fn watch(reloader: Arc<Reloader>) {
    let (changed, mut changes) = mpsc::channel(1);
    let watched = |folder| {
        watcher(folder, changed.clone())
            .inspect_err(|error| tracing::warn!(%error, "policy files are not watched; use SIGHUP"))
            .ok()
    };
    let mut folder = reloader.folder().and_then(identity);
    let mut _watcher = reloader.folder().and_then(watched);
    let mut look = tokio::time::interval(FOLDER_LOOK);
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let Ok(mut hangup) = hangup else { return tracing::error!("SIGHUP cannot be received") };
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            _ = look.tick() => {
                let now = reloader.folder().and_then(identity);
                if now.is_none() || now == folder {
                    continue;
                }
                (folder, _watcher) = (now, reloader.folder().and_then(watched));
            }
            Some(()) = changes.recv() => {
                let quiet = Duration::from_millis(QUIET_MS);
                while tokio::time::timeout(quiet, changes.recv()).await.is_ok() {}
            }
        }
        let reloader = Arc::clone(&reloader);
        // Compiling a large set takes a while; the admin API answers meanwhile.
        let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
    }
}

fn watcher(folder: &Path, changed: mpsc::Sender<()>) -> notify::Result<impl Watcher + use<>> {
    let told = move |event: notify::Result<notify::Event>| {
        let is_policy = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|extension| extension == "toml")
        };
        let relevant =
            event.is_ok_and(|event| !event.kind.is_access() && event.paths.iter().any(is_policy));
        if relevant {
            // A full channel already says that something changed.
            let _ = changed.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(told)?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Which folder stands under this name now. A deployment that puts a new folder in the old one's
/// place leaves a watcher with the old one.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()))
}
