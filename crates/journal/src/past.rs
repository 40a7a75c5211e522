//! Registrations of an earlier run, read back from its files: what steering goes on from.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use memchr::memmem;
use procedure::{Access, Act, Domain, Exit, Imsi, Plmn, Provenance};

use crate::read::{Line, Lines, files};
use crate::{Key, PSEUDONYM_OCTETS};

/// One registration as its record tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// When it ended, in microseconds since 1970.
    pub ended_us: u64,
    /// Who; only where the pseudonym was made with the same key.
    pub imsi: Imsi,
    /// Where.
    pub visited: Plmn,
    /// Over which access.
    pub access: Access,
    /// In which domain.
    pub domain: Domain,
    /// Steering refused it, and counted that.
    pub steered: bool,
    /// The number of the refusal on its network.
    pub attempt: u8,
    /// Why steering gave in.
    pub exit: Option<Exit>,
    /// It succeeded.
    pub success: bool,
}

/// How the reading went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Registrations that were told.
    pub registrations: u64,
    /// Lines that could not be read: the last one of a run that was killed may be.
    pub unread: u64,
    /// Registrations whose pseudonym was made with another key.
    pub foreign: u64,
}

/// Tells every registration that ended since `from_us`, oldest first.
///
/// # Errors
/// When a file cannot be read.
pub fn registrations(
    directory: &Path,
    key: &Key,
    from_us: u64,
    mut tell: impl FnMut(Registration),
) -> io::Result<Tally> {
    let mut tally = Tally::default();
    if !directory.exists() {
        return Ok(tally);
    }
    let act = format!("\"act\":\"{}\"", Act::Register.name());
    let wanted = memmem::Finder::new(act.as_bytes());
    let from = UNIX_EPOCH + Duration::from_micros(from_us);
    for path in files(directory)? {
        if fs::metadata(&path)?.modified()? < from {
            continue;
        }
        let mut lines = Lines::open(&path)?;
        while let Some(line) = lines.next_wanted(|octets| wanted.find(octets).is_some()) {
            match line {
                Ok(line) if line.ended_us() < from_us => {}
                Ok(line) => match line.registration(key) {
                    Some(registration) => {
                        tally.registrations += 1;
                        tell(registration);
                    }
                    None => tally.foreign += u64::from(line.subscriber.is_some()),
                },
                Err(error) if error.kind() == io::ErrorKind::InvalidData => tally.unread += 1,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(tally)
}

impl Line {
    /// When the exchange ended, in microseconds since 1970.
    #[must_use]
    pub const fn ended_us(&self) -> u64 {
        self.opened_us.saturating_add(self.latency_us)
    }

    /// Whose record it is: in clear where it is written so, else by the key of its pseudonym.
    #[must_use]
    pub fn imsi(&self, key: &Key) -> Option<Imsi> {
        if let Some(imsi) = &self.imsi {
            return imsi.parse().ok();
        }
        let digits = self.subscriber.as_deref()?;
        let mut pseudonym = [0; PSEUDONYM_OCTETS];
        for (place, octet) in pseudonym.iter_mut().enumerate() {
            *octet = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        key.subscriber(pseudonym)
    }

    /// In which domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        let found = Domain::ALL.into_iter().find(|d| Some(d.name()) == self.domain.as_deref());
        found.unwrap_or(Domain::Unknown)
    }

    /// Over which access.
    #[must_use]
    pub fn access(&self) -> Access {
        let found = Access::ALL.into_iter().find(|a| Some(a.name()) == self.access.as_deref());
        found.unwrap_or(Access::Unknown)
    }

    /// Why steering gave in.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        Exit::ALL.into_iter().find(|exit| Some(exit.name()) == self.exit.as_deref())
    }

    /// Whether a stored verdict was only said again.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.because.iter().any(|spoken| matches!(spoken.outcome.as_str(), "replay" | "resend"))
    }

    fn registration(&self, key: &Key) -> Option<Registration> {
        let steered = self.provenance.as_deref() == Some(Provenance::Steering.name());
        Some(Registration {
            ended_us: self.ended_us(),
            imsi: self.imsi(key)?,
            visited: self.visited.as_deref()?.parse().ok()?,
            access: self.access(),
            domain: self.domain(),
            steered: steered && !self.is_replay(),
            attempt: self.attempt,
            exit: self.exit(),
            success: self.success,
        })
    }
}
