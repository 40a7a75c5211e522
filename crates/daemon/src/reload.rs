//! Other policies while everything runs: whole or not at all, on SIGHUP, on a saved file, or over
//! the admin API. No connection, pending request or attempt counter is touched. `gateway.toml` is
//! read at start only: what of it has changed since is said, and that it needs a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Destination, Diagnostics, Loaded, Title};
use notify::{RecursiveMode, Watcher};
use policy::{Engine, Source};
use procedure::Policy;
use tokio::sync::{Mutex, mpsc};

/// Editors write a file in several steps: wait until the folder has been quiet for so long.
const QUIET_MS: u64 = 200;

/// How often it is looked whether the folders are still those that are watched.
const FOLDER_LOOK: Duration = Duration::from_secs(2);

/// Reads the policy files again and puts them in force if they check.
pub(crate) struct Reloader {
    loaded: Loaded,
    engine: Arc<Engine>,
    set_titles: SetTitles,
    failures: AtomicU64,
    /// Held through a reload, so that two do not cross.
    state: Mutex<State>,
}

/// Puts global-title translations in force.
pub(crate) type SetTitles = Box<dyn Fn(&[Title], &[Destination]) + Send + Sync>;

/// What earlier reloads came to.
struct State {
    in_force: Vec<Source>,
    /// What was tried last, in force or not; none where it could not be read.
    tried: Option<Vec<Source>>,
    /// What was last said of `gateway.toml`.
    told: String,
}

impl Reloader {
    pub(crate) fn new(loaded: Loaded, engine: Arc<Engine>, set_titles: SetTitles) -> Self {
        let (in_force, tried) = (loaded.sources.clone(), Some(loaded.sources.clone()));
        let state = Mutex::new(State { in_force, tried, told: String::new() });
        Self { loaded, engine, set_titles, failures: AtomicU64::new(0), state }
    }

    /// The version in force and how many reloads did not check.
    pub(crate) fn state(&self) -> (u64, u64) {
        (self.engine.version(), self.failures.load(Ordering::Relaxed))
    }

    /// How many subscribers steering remembers.
    pub(crate) fn memory(&self) -> usize {
        self.engine.memory().in_use().subscribers
    }

    /// Reloads now, because somebody asks for it; blocks, so never from a task. Either text is for
    /// people.
    pub(crate) fn reload(&self) -> Result<String, String> {
        let mut state = self.state.blocking_lock();
        state.told.clear();
        let aside = self.look_aside(&mut state);
        let sources = self.loaded.reread(&state.in_force);
        match self.put_in_force(sources, &mut state) {
            Ok(report) => Ok(report + aside.as_str()),
            Err(mistakes) => Err(mistakes + aside.as_str()),
        }
    }

    /// Reloads if the policies are others than those that were tried last: something was saved.
    fn look(&self) {
        let mut state = self.state.blocking_lock();
        let _told = self.look_aside(&mut state);
        let sources = self.loaded.reread(&state.in_force);
        let same = sources.as_ref().ok().is_some_and(|now| state.tried.as_ref() == Some(now));
        if !same {
            let _told = self.put_in_force(sources, &mut state);
        }
    }

    fn put_in_force(
        &self,
        sources: Result<Vec<Source>, Diagnostics>,
        state: &mut State,
    ) -> Result<String, String> {
        state.tried = sources.as_ref().ok().cloned();
        let outcome = sources.and_then(|sources| {
            let list = |list| Diagnostics { list, sources: sources.clone() };
            // Both have to be right before either is in force.
            let (titles, destinations) = self.loaded.titles(&sources)?;
            let report = self.engine.reload(&config::rules(&sources)).map_err(list)?;
            (self.set_titles)(&titles, &destinations);
            state.in_force = sources;
            Ok(report)
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

    /// Says what of `gateway.toml` has changed since the start, where that was not said yet.
    fn look_aside(&self, state: &mut State) -> String {
        let text = match self.loaded.outdated() {
            Ok(changed) if changed.is_empty() => String::new(),
            Ok(changed) => format!(
                "gateway.toml has changed since the start; not in force before a restart: {}\n",
                changed.join(", ")
            ),
            Err(mistakes) => {
                format!(
                    "gateway.toml has changed and the gateway would not start again:\n{mistakes}"
                )
            }
        };
        if text != state.told {
            for line in text.lines() {
                tracing::warn!("{line}");
            }
            state.told.clone_from(&text);
        }
        text
    }

    /// The folders to watch, where policies come from files: that of the policies with all in it,
    /// and that of `gateway.toml`.
    fn folders(&self) -> Vec<(PathBuf, RecursiveMode)> {
        let config::Origin::Files(_) = &self.loaded.origin else { return Vec::new() };
        let policies = &self.loaded.gateway.policies;
        let folders =
            [(policies, RecursiveMode::Recursive), (&self.loaded.dir, RecursiveMode::NonRecursive)];
        let mut folders = folders
            .map(|(folder, mode)| {
                let here = folder.as_os_str().is_empty();
                (if here { PathBuf::from(".") } else { folder.clone() }, mode)
            })
            .to_vec();
        folders.dedup_by(|b, a| identity(&a.0) == identity(&b.0));
        folders
    }
}

/// Reloads on SIGHUP and whenever a policy file was saved, until the process ends.
pub(crate) async fn watch(reloader: Arc<Reloader>) {
    let (changed, mut changes) = mpsc::channel(1);
    let watched = || {
        watcher(&reloader.folders(), changed.clone())
            .inspect_err(|error| tracing::warn!(%error, "policy files are not watched; use SIGHUP"))
            .ok()
    };
    let identities = || -> Vec<_> {
        reloader.folders().iter().filter_map(|(folder, _)| identity(folder)).collect()
    };
    let mut folders = identities();
    let mut _watcher = watched();
    let mut look = tokio::time::interval(FOLDER_LOOK);
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let Ok(mut hangup) = hangup else { return tracing::error!("SIGHUP cannot be received") };
    loop {
        let mut asked = false;
        tokio::select! {
            _ = hangup.recv() => asked = true,
            _ = look.tick() => {
                let now = identities();
                if now.len() < folders.len() || now == folders {
                    continue;
                }
                (folders, _watcher) = (now, watched());
            }
            Some(()) = changes.recv() => {
                let quiet = Duration::from_millis(QUIET_MS);
                while tokio::time::timeout(quiet, changes.recv()).await.is_ok() {}
            }
        }
        let reloader = Arc::clone(&reloader);
        // Compiling a large set takes a while; the admin API answers meanwhile.
        let work = move || if asked { drop(reloader.reload()) } else { reloader.look() };
        let _ = tokio::task::spawn_blocking(work).await;
    }
}

fn watcher(
    folders: &[(PathBuf, RecursiveMode)],
    changed: mpsc::Sender<()>,
) -> notify::Result<impl Watcher + use<>> {
    let told = move |event: notify::Result<notify::Event>| {
        let relevant = event.is_ok_and(|event| {
            !event.kind.is_access() && event.paths.iter().any(|path| is_relevant(path))
        });
        if relevant {
            // A full channel already says that something changed.
            let _ = changed.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(told)?;
    for (folder, mode) in folders {
        watcher.watch(folder, *mode)?;
    }
    Ok(watcher)
}

/// A file of ours, or the link behind which a whole generation of them is exchanged, as Kubernetes
/// mounts them (`..data`).
fn is_relevant(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    path.extension().is_some_and(|extension| extension == "toml") || name.starts_with(b"..")
}

/// Which folder stands under this name now. A deployment that puts a new folder in the old one's
/// place leaves a watcher with the old one.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()))
}
