//! Configuration from disk or from what is shipped: read everything, check everything, report every
//! mistake at once.
//!
//! ```text
//! gateway.toml ▷ read ▷ Gateway ─▷ peers ─┐
//! policies/*.toml, cases/*.toml ─────────▷ policy::compile ▷ Loaded | Diagnostics
//! ```

mod changes;
mod clashes;
mod files;
mod gateway;
mod peers;
mod read;
mod report;
mod shipped;
mod ss7;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use gateway::{
    Destination, DiameterPeer, DiameterSettings, Gateway, JournalSettings, Listen, LogFormat,
    LogLevel, LogSettings, M3uaPeer, Peer, PeerRole, Protocol, SctpBackend, SctpSettings, Server,
    Speaks, Ss7Settings, Title, TitlePlan, TlsFiles, TrafficMode, Transport, Variant,
};
pub use peers::{ENCAPSULATION_PORT, PEERS_MAX};
use policy::{Complaints, Context, Diagnostic, Engine, Memory, Setup, Source};
use procedure::{Symbols, Vocabulary};
pub use read::{FRAME_OCTETS_MAX, RESTORE_S, RESTORE_S_MAX, WATCHDOG_MIN_MS, WORKERS_MAX};
pub use report::Diagnostics;
pub use shipped::SHIPPED;

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What the program carries.
    Shipped,
    /// This `gateway.toml` and the folder it names.
    Files(PathBuf),
}

/// A configuration that has passed every check.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Everything that is not policy.
    pub gateway: Gateway,
    /// The text of `gateway.toml`.
    pub own: Source,
    /// The policy files.
    pub sources: Vec<Source>,
    /// The folder of `gateway.toml`; the current one for what is shipped.
    pub dir: PathBuf,
    /// Where it came from.
    pub origin: Origin,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// Loads `gateway.toml` and the policies it names, or what is shipped.
///
/// # Errors
///
/// Every mistake in every file.
pub fn load(path: Option<&Path>, vocabulary: &dyn Vocabulary) -> Result<Loaded, Diagnostics> {
    match path {
        None => load_shipped(vocabulary),
        Some(path) => load_files(path, vocabulary),
    }
}

fn load_shipped(vocabulary: &dyn Vocabulary) -> Result<Loaded, Diagnostics> {
    let name = |name: &str| format!("policies/{name}");
    let mut sources = SHIPPED.iter().map(|(file, text)| Source::new(name(file), *text));
    let own = sources.next().unwrap_or_default();
    check(&own, sources.collect(), PathBuf::from("."), Origin::Shipped, vocabulary, Vec::new())
}

fn load_files(path: &Path, vocabulary: &dyn Vocabulary) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let own = match files::read(path) {
        Ok(text) => Source::new(name, text),
        Err(error) => {
            let own = Source::new(name, "");
            let list = vec![own.complain(0..0, format!("cannot be read: {error}"))];
            return Err(Diagnostics { list, sources: vec![own] });
        }
    };
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    // A first reading only to learn where the policies are; its complaints come again below.
    let complaints = Complaints::default();
    let first = read::gateway(&own, &dir, &complaints);
    if complaints.has_unread() {
        // It may not even say where they are.
        let sources = vec![own];
        return Err(Diagnostics { list: complaints.into_sorted(&sources), sources });
    }
    let (sources, errors) =
        first.map_or_else(Default::default, |first| read_policies(&first.policies));
    check(&own, sources, dir, Origin::Files(path.to_owned()), vocabulary, errors)
}

/// The policy files of a folder; what cannot be read becomes a mistake.
fn read_policies(dir: &Path) -> (Vec<Source>, Vec<Diagnostic>) {
    let (sources, errors) = files::policies(dir);
    let complain = |(path, error): (PathBuf, std::io::Error)| {
        let unread = Source::new(path.display().to_string(), "");
        unread.complain(0..0, format!("cannot be read: {error}"))
    };
    (sources, errors.into_iter().map(complain).collect())
}

fn check(
    own: &Source,
    sources: Vec<Source>,
    dir: PathBuf,
    origin: Origin,
    vocabulary: &dyn Vocabulary,
    mut list: Vec<Diagnostic>,
) -> Result<Loaded, Diagnostics> {
    let complaints = Complaints::default();
    let gateway = read::gateway(own, &dir, &complaints);
    list.extend(complaints.into_sorted(std::slice::from_ref(own)));
    let symbols = Symbols::default();
    let sound = gateway.as_ref().filter(|_| !list.iter().any(Diagnostic::is_error));
    let (peers, groups) = match sound {
        Some(gateway) => (gateway.links(), gateway.server_groups()),
        // Whoever is named there exists, whatever else is wrong with it.
        None => read::declared(own),
    };
    let context = Context {
        symbols: &symbols,
        vocabulary,
        peers: Some(&peers),
        groups: &groups,
        started_unix_s: 0,
    };
    let (titles, rules): (Vec<_>, Vec<_>) = sources.iter().cloned().partition(is_titles);
    let complaints = Complaints::default();
    for source in &titles {
        ss7::titles(source, gateway.as_ref().and_then(|gateway| gateway.ss7.as_ref()), &complaints);
    }
    list.extend(complaints.into_sorted(&titles));
    match policy::compile(&rules, &context) {
        Ok(compiled) => list.extend(compiled.warnings().iter().cloned()),
        Err(mistakes) => list.extend(mistakes),
    }
    if let (Some(gateway), true) = (&gateway, sources.iter().all(is_case)) {
        let folder =
            if gateway.policies == Path::new("") { Path::new(".") } else { &gateway.policies };
        let message = format!("there are no policy files in {}", folder.display());
        let help = "nobody is steered, and only a connected Destination-Host is reached";
        list.push(own.complain(0..0, message).with_help(help).as_warning());
    }
    match gateway {
        Some(gateway) if !list.iter().any(Diagnostic::is_error) => {
            Ok(Loaded { gateway, own: own.clone(), sources, dir, origin, warnings: list })
        }
        _ => Err(Diagnostics { list, sources: with_own(own, sources) }),
    }
}

/// Whether a file holds cases: these decide nothing, so one may go while the gateway runs.
fn is_case(source: &Source) -> bool {
    Path::new(&source.name).parent().is_some_and(|folder| folder.ends_with("cases"))
}

/// Whether a file translates global titles: that is the SS7 stack's to compile.
fn is_titles(source: &Source) -> bool {
    Path::new(&source.name).file_name().is_some_and(|name| name == "titles.toml")
}

/// The files that the policy engine compiles.
#[must_use]
pub fn rules(sources: &[Source]) -> Vec<Source> {
    sources.iter().filter(|source| !is_titles(source)).cloned().collect()
}

fn with_own(own: &Source, sources: Vec<Source>) -> Vec<Source> {
    std::iter::once(own.clone()).chain(sources).collect()
}

impl Loaded {
    /// What of `gateway.toml`, which is read at start only, has changed since; in words.
    ///
    /// # Errors
    ///
    /// Every mistake in it: a start would fail.
    pub fn outdated(&self) -> Result<Vec<String>, Diagnostics> {
        let Origin::Files(path) = &self.origin else { return Ok(Vec::new()) };
        let complaints = Complaints::default();
        let mut now = Source::new(self.own.name.clone(), "");
        match files::read(path) {
            Ok(text) if text == self.own.text => return Ok(Vec::new()),
            Ok(text) => now.text = text,
            Err(error) => {
                let list = vec![now.complain(0..0, format!("cannot be read: {error}"))];
                return Err(Diagnostics { list, sources: vec![now] });
            }
        }
        let wanted = read::gateway(&now, &self.dir, &complaints);
        let list = complaints.into_sorted(std::slice::from_ref(&now));
        // What runs may have been overridden on the command line: text is compared with text.
        let before = read::gateway(&self.own, &self.dir, &Complaints::default());
        match (before, wanted) {
            (Some(before), Some(wanted)) if !list.iter().any(Diagnostic::is_error) => {
                Ok(changes::changes(&before, &wanted))
            }
            _ => Err(Diagnostics { list, sources: vec![now] }),
        }
    }

    /// Reads the policy files again, for a reload.
    ///
    /// # Errors
    ///
    /// Every file that cannot be read, and every one in force that is gone: half a folder checks
    /// as well as a whole one, and would switch off what stood in the other half.
    pub fn reread(&self, in_force: &[Source]) -> Result<Vec<Source>, Diagnostics> {
        if self.origin == Origin::Shipped {
            return Ok(self.sources.clone());
        }
        let (sources, mut errors) = read_policies(&self.gateway.policies);
        let is_there = |old: &Source| sources.iter().any(|new| new.name == old.name);
        let unread: Vec<String> = errors.iter().map(|error| error.file.clone()).collect();
        let gone = in_force.iter().filter(|old| !is_there(old) && !unread.contains(&old.name));
        errors.extend(gone.filter(|old| !is_case(old)).map(|old| {
            let gone = Source::new(old.name.clone(), "");
            let help = "to do without it, leave it empty or start the gateway anew";
            gone.complain(0..0, "is in force and has gone").with_help(help)
        }));
        if errors.is_empty() { Ok(sources) } else { Err(Diagnostics { list: errors, sources }) }
    }

    /// The same gateway with the policies of another folder, to see what they would do.
    ///
    /// # Errors
    ///
    /// Every mistake in them, told as [`load`] does.
    pub fn with_policies(
        &self,
        folder: &Path,
        vocabulary: &dyn Vocabulary,
    ) -> Result<Self, Diagnostics> {
        let (sources, errors) = read_policies(folder);
        if errors.is_empty() && sources.iter().all(is_case) {
            // For a gateway that starts a warning will do; who tries a folder means one with rules.
            let folder = Source::new(folder.display().to_string(), "");
            let list = vec![folder.complain(0..0, "there are no policy files in this folder")];
            return Err(Diagnostics { list, sources: vec![folder] });
        }
        check(&self.own, sources, self.dir.clone(), self.origin.clone(), vocabulary, errors)
    }

    /// The global titles and point codes of these files, as far as they are right.
    ///
    /// # Errors
    ///
    /// Every mistake in them.
    pub fn titles(
        &self,
        sources: &[Source],
    ) -> Result<(Vec<Title>, Vec<Destination>), Diagnostics> {
        let complaints = Complaints::default();
        let (mut titles, mut destinations) = (Vec::new(), Vec::new());
        for source in sources.iter().filter(|source| is_titles(source)) {
            let read = ss7::titles(source, self.gateway.ss7.as_ref(), &complaints);
            titles.extend(read.0);
            destinations.extend(read.1);
        }
        let list = complaints.into_sorted(sources);
        if list.iter().any(Diagnostic::is_error) {
            return Err(Diagnostics { list, sources: sources.to_vec() });
        }
        Ok((titles, destinations))
    }

    /// The engine with these policies in force. `seed` keys the memory's hash; plans with dates and
    /// hours go by `started_unix_s`, the time of the start in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Every mistake in the policies; none when they are those that were loaded.
    pub fn engine(
        &self,
        symbols: Symbols,
        vocabulary: Arc<dyn Vocabulary + Send + Sync>,
        seed: u64,
        started_unix_s: u64,
    ) -> Result<Engine, Diagnostics> {
        let memory = Arc::new(Memory::new(self.gateway.subscribers_max, seed));
        let (peers, groups) = (Some(self.gateway.links()), self.gateway.server_groups());
        let setup = Setup { symbols, vocabulary, peers, groups, memory, started_unix_s };
        let sources = &self.sources;
        Engine::new(&rules(sources), setup)
            .map_err(|list| Diagnostics { list, sources: sources.clone() })
    }
}
