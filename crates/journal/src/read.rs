//! Reads lines back: for reports, what-if runs and tests.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::schema::VERSION;
use crate::writer::{CURRENT, rotated};

/// One line; [`crate::schema`] says what each field means. Unknown fields are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "the fields are documented once, in the table of `schema`")]
pub struct Line {
    pub v: u32,
    pub opened_us: u64,
    pub latency_us: u64,
    pub stack: String,
    pub worker: u8,
    pub exchange: String,
    pub from: String,
    pub to: Option<String>,
    pub sends: u8,
    pub application: u32,
    pub application_name: Option<String>,
    pub operation: u32,
    pub operation_name: Option<String>,
    pub act: String,
    pub domain: Option<String>,
    pub access: Option<String>,
    #[serde(default)]
    pub repeat: bool,
    pub subscriber: Option<String>,
    pub imsi: Option<String>,
    pub customer: Option<String>,
    pub home: Option<String>,
    pub home_country: Option<String>,
    pub visited: Option<String>,
    pub visited_country: Option<String>,
    pub preferred: Option<bool>,
    pub finish: String,
    pub result: Option<u32>,
    pub experimental: Option<u32>,
    pub vendor: Option<u32>,
    pub error: Option<u32>,
    pub reject: Option<u32>,
    pub abort: Option<u32>,
    pub returned: Option<u32>,
    pub success: bool,
    pub provenance: Option<String>,
    #[serde(default)]
    pub attempt: u8,
    pub exit: Option<String>,
    #[serde(default)]
    pub because: Vec<Spoken>,
    pub frames: Option<u32>,
    pub request_octets: u32,
    pub answer_octets: u32,
    pub malformed_layer: Option<String>,
    pub malformed_field: Option<String>,
    pub malformed_offset: Option<u32>,
    pub malformed_why: Option<String>,
}

/// One rule that spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "the fields are documented once, in the table of `schema`")]
pub struct Spoken {
    pub stage: String,
    pub rule: String,
    pub outcome: String,
    pub refusal: Option<String>,
    pub exit: Option<String>,
    pub group: Option<String>,
}

/// Octets of the longest line that is read; ours are far shorter.
pub const LINE_OCTETS_MAX: usize = 1 << 16;

/// Reads one line after the other. A line that cannot be read is an error of its own; the next call
/// goes on behind it.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`.
    pub const fn new(input: R) -> Self {
        Self { input, number: 0, buffer: Vec::new() }
    }

    /// The next line whose octets are wanted; of the others nothing is parsed.
    pub(crate) fn next_wanted(
        &mut self,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<io::Result<Line>> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let mut head = self.input.by_ref().take(LINE_OCTETS_MAX as u64);
            match head.read_until(b'\n', &mut self.buffer) {
                Ok(0) => return None,
                Ok(octets) if octets >= LINE_OCTETS_MAX && !self.buffer.ends_with(b"\n") => {
                    return Some(self.skip());
                }
                Ok(_) if wanted(&self.buffer) => return Some(self.parse()),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Passes over the rest of a line that is too long.
    fn skip(&mut self) -> io::Result<Line> {
        loop {
            let there = self.input.fill_buf()?;
            let end = there.iter().position(|octet| *octet == b'\n').map(|place| place + 1);
            let (octets, is_over) = (end.unwrap_or(there.len()), end.is_some() || there.is_empty());
            self.input.consume(octets);
            if is_over {
                let what = format!("line {}: longer than {LINE_OCTETS_MAX} octets", self.number);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
    }

    fn parse(&self) -> io::Result<Line> {
        let complain = |what: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {what}", self.number))
        };
        let line: Line =
            serde_json::from_slice(&self.buffer).map_err(|error| complain(error.to_string()))?;
        if line.v == VERSION {
            Ok(line)
        } else {
            Err(complain(format!("version {} of the schema, not {VERSION}", line.v)))
        }
    }
}

impl Lines<BufReader<File>> {
    /// The lines of a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(BufReader::with_capacity(1 << 18, File::open(path)?)))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_wanted(|_| true)
    }
}

/// The files that a journal wrote to a folder, oldest first, the current one last.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = rotated(directory)?;
    let current = directory.join(CURRENT);
    if current.exists() {
        paths.push(current);
    }
    Ok(paths)
}
