//! The file: JSON Lines, rotated by size, one write for each batch of lines.
//!
//! `records.jsonl` is the current file; a full one is renamed to `records-<unix ms>-<seq>.jsonl`
//! and the oldest of these are removed. A disk that refuses is not an end: lines wait in bounded
//! memory, further ones are counted as lost, and writing goes on when the disk comes back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Octets of lines after which a write is due before the tick.
pub const WRITE_OCTETS: usize = 256 * 1024;

/// Most octets of lines held in memory while the disk refuses them.
pub const PENDING_MAX: usize = 4 * 1024 * 1024;

/// The name of the current file.
pub(crate) const CURRENT: &str = "records.jsonl";
/// Who may read the files: the owner and the group, nobody else.
const MODE: u32 = 0o640;
const PREFIX: &str = "records-";
const SUFFIX: &str = ".jsonl";

/// Where the files are, how large and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The folder; made if it is not there.
    pub directory: PathBuf,
    /// A file that would grow past this is rotated first.
    pub octets: u64,
    /// How many rotated files are kept beside the current one.
    pub keep: usize,
}

impl Rotation {
    /// Files of 256 MiB, eight of them kept.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), octets: 256 << 20, keep: 8 }
    }
}

/// Writes lines to the current file.
#[derive(Debug)]
pub struct Writer {
    rotation: Rotation,
    file: Option<File>,
    /// Whole lines that are in the current file.
    length: u64,
    /// Part of a line may stand at the end of the file.
    torn: bool,
    sequence: u64,
    pending: Vec<u8>,
    pending_records: u64,
    failing: bool,
    tally: Tally,
}

/// What became of the records, since the writer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) octets: u64,
    pub(crate) lost: u64,
    pub(crate) errors: u64,
}

impl Writer {
    /// Opens the current file, going on where an earlier run ended.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn open(rotation: Rotation) -> io::Result<Self> {
        let mut writer = Self {
            rotation,
            file: None,
            length: 0,
            torn: false,
            sequence: 0,
            pending: Vec::with_capacity(2 * WRITE_OCTETS),
            pending_records: 0,
            failing: false,
            tally: Tally::default(),
        };
        writer.open_current()?;
        Ok(writer)
    }

    /// Takes one record: `line` appends it, newline included. Not called when the memory for a
    /// failing disk is used up; the record is then counted as lost.
    pub fn push(&mut self, line: impl FnOnce(&mut Vec<u8>)) {
        if self.pending.len() >= PENDING_MAX {
            self.tally.lost += 1;
        } else {
            line(&mut self.pending);
            self.pending_records += 1;
        }
    }

    /// Enough has come together for a write. Never while the disk fails: the tick tries again.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        self.pending.len() >= WRITE_OCTETS && !self.failing
    }

    /// Writes what is pending with one write, into a new file if the current one is full.
    ///
    /// # Errors
    /// When the disk refuses; what is pending stays pending.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let result = self.rotate_if_full().and_then(|()| self.write_pending());
        self.failing = result.is_err();
        self.tally.errors += u64::from(self.failing);
        result
    }

    /// Writes what is pending and has the disk confirm it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts what can no longer be written: the end of a run on a failing disk.
    pub(crate) const fn abandon(&mut self) {
        self.tally.lost += self.pending_records;
        self.pending_records = 0;
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.open_current()?;
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let start = self.length;
        let (mended, mut outcome) = match mend(file, self.torn) {
            Ok(mended) => (mended, Ok(())),
            Err(error) => (0, Err(error)),
        };
        let mut written = 0;
        if outcome.is_ok() {
            (written, outcome) = write_counted(file, &self.pending);
        }
        // A full disk takes part of a write: the lines that fit stay, and what stands of the next is
        // cut off, so that none stands half or twice.
        let fitting = self.pending.get(..written).unwrap_or_default();
        let kept = fitting.iter().rposition(|octet| *octet == b'\n').map_or(0, |last| last + 1);
        let kept_records = match &outcome {
            Ok(()) => self.pending_records,
            Err(_) => newlines(fitting.get(..kept).unwrap_or_default()),
        };
        if outcome.is_ok() {
            self.torn = false;
            self.length += mended + kept as u64;
        } else {
            let mended = if kept > 0 { mended } else { 0 };
            let _ = file.set_len(start + mended + kept as u64);
            // The next try opens the file anew and looks how it ends.
            self.file = None;
        }
        self.tally.octets += kept as u64;
        self.tally.records += kept_records;
        self.pending_records -= kept_records;
        self.pending.drain(..kept);
        outcome
    }

    fn rotate_if_full(&mut self) -> io::Result<()> {
        if self.length == 0 || self.length + self.pending.len() as u64 <= self.rotation.octets {
            return Ok(());
        }
        self.sequence += 1;
        let name = format!("{PREFIX}{:013}-{:06}{SUFFIX}", unix_ms(), self.sequence);
        let directory = &self.rotation.directory;
        fs::rename(directory.join(CURRENT), directory.join(name)).or_else(|error| {
            // Somebody took the file away: there is nothing to keep, only to begin anew.
            if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
        })?;
        self.file = None;
        self.open_current()?;
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let rotated = rotated(&self.rotation.directory)?;
        let surplus = rotated.len().saturating_sub(self.rotation.keep);
        rotated.iter().take(surplus).try_for_each(fs::remove_file)
    }

    fn open_current(&mut self) -> io::Result<()> {
        fs::create_dir_all(&self.rotation.directory)?;
        let path = self.rotation.directory.join(CURRENT);
        let mut file =
            OpenOptions::new().create(true).append(true).read(true).mode(MODE).open(path)?;
        self.length = file.seek(SeekFrom::End(0))?;
        self.torn = false;
        if self.length > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            self.torn = last != *b"\n";
        }
        self.file = Some(file);
        Ok(())
    }
}

/// Writes as much as is taken, and says how much that was.
fn write_counted(file: &mut File, octets: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = octets.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

fn newlines(octets: &[u8]) -> u64 {
    octets.iter().filter(|octet| **octet == b'\n').count() as u64
}

/// Ends a line that an earlier failure left half written; how many octets that took.
fn mend(file: &mut File, torn: bool) -> io::Result<u64> {
    if torn {
        file.write_all(b"\n")?;
    }
    Ok(u64::from(torn))
}

/// The rotated files of a folder, oldest first.
pub(crate) fn rotated(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
            paths.push(directory.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the name of a rotated file; the writer lives on its own thread, never in a worker"
)]
fn unix_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
