//! Diameter messages out of capture files, and into them.

mod write;

use std::path::Path;

pub use write::write;

/// One Diameter message as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The number of the captured frame that made it whole, from 1 as tshark counts.
    pub number: usize,
    /// Its bytes.
    pub octets: Vec<u8>,
}

/// Every Diameter message of a capture.
///
/// # Errors
/// The file is no capture.
pub fn read(path: &Path) -> Result<Vec<Captured>, String> {
    let mut messages = Vec::new();
    capture::read(path, |message| {
        if message.protocol == capture::Protocol::Diameter {
            messages.push(Captured { number: message.number, octets: message.octets });
        }
    })?;
    Ok(messages)
}
