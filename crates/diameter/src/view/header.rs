//! The message header.

use octets::{be24, be32};
use procedure::{Layer, Malformed};

/// Octets of the header.
pub const HEADER_OCTETS: usize = 20;
/// R: a request.
pub const REQUEST: u8 = 0x80;
/// P: may be relayed.
pub const PROXIABLE: u8 = 0x40;
/// E: an answer that tells of a protocol error.
pub const ERROR: u8 = 0x20;
/// T: may be a repeat.
pub const REPEATED: u8 = 0x10;

/// Application and command of the base protocol.
pub mod base {
    /// Diameter common messages.
    pub const APPLICATION: u32 = 0;
    /// Capabilities-Exchange.
    pub const CAPABILITIES: u32 = 257;
    /// Device-Watchdog.
    pub const WATCHDOG: u32 = 280;
    /// Disconnect-Peer.
    pub const DISCONNECT: u32 = 282;
}

/// The fields of the header.
//= RFC 6733 §3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole message, header included.
    pub length: u32,
    /// R, P, E and T; the rest is reserved and ignored.
    pub flags: u8,
    /// Command-Code.
    pub command: u32,
    /// Application-Id.
    pub application: u32,
    /// Hop-by-Hop Identifier: the asker's own number on one connection.
    pub hop_by_hop: u32,
    /// End-to-End Identifier: kept on the whole way.
    pub end_to_end: u32,
}

impl Header {
    /// Reads the first [`HEADER_OCTETS`]; `None` if there are fewer. Checks nothing.
    #[must_use]
    #[inline]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER_OCTETS] = frame.first_chunk()?;
        Some(Self {
            length: be24(head, 1)?,
            flags: head[4],
            command: be24(head, 5)?,
            application: be32(head, 8)?,
            hop_by_hop: be32(head, 12)?,
            end_to_end: be32(head, 16)?,
        })
    }

    /// Whether the R flag is set.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.flags & REQUEST != 0
    }

    /// Whether the message belongs to the base protocol. Its three commands are told by their
    /// code alone: some stacks send them under another application.
    #[must_use]
    pub const fn is_base(&self) -> bool {
        self.application == base::APPLICATION
            || matches!(self.command, base::CAPABILITIES | base::WATCHDOG | base::DISCONNECT)
    }

    /// The first 20 octets of a message with these fields.
    #[must_use]
    pub const fn octets(&self) -> [u8; HEADER_OCTETS] {
        let length = self.length.to_be_bytes();
        let command = self.command.to_be_bytes();
        let [a, b, c, d] = self.application.to_be_bytes();
        let [e, f, g, h] = self.hop_by_hop.to_be_bytes();
        let [i, j, k, l] = self.end_to_end.to_be_bytes();
        [
            1, length[1], length[2], length[3], self.flags, command[1], command[2], command[3], a,
            b, c, d, e, f, g, h, i, j, k, l,
        ]
    }
}

const fn malformed(field: &'static str, offset: u32, why: &'static str, code: u32) -> Malformed {
    Malformed { layer: Layer::Diameter, field, offset, why, code }
}

/// How long the frame at the head of `bytes` is; `None` while its first four octets are not there.
///
/// # Errors
/// The version is not 1, or the length is impossible or above `limit`.
//= RFC 6733 §3
#[inline]
pub fn frame_octets(bytes: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
    let Some(version) = bytes.first() else { return Ok(None) };
    if *version != 1 {
        return Err(malformed("Version", 0, "is not 1", 5011));
    }
    let Some(length) = be24(bytes, 1) else { return Ok(None) };
    let octets = length as usize;
    if octets < HEADER_OCTETS {
        return Err(malformed("Message Length", 1, "is shorter than the header", 5015));
    }
    if !octets.is_multiple_of(4) {
        return Err(malformed("Message Length", 1, "is not a multiple of four", 5015));
    }
    if octets > limit {
        return Err(malformed("Message Length", 1, "exceeds the limit of a frame", 5015));
    }
    Ok(Some(octets))
}

/// Reads and checks the header of one whole frame.
///
/// # Errors
/// As [`frame_octets`]; also when the length is not the frame's own or the flags contradict.
#[inline]
pub fn check(frame: &[u8], limit: usize) -> Result<Header, Malformed> {
    let length = frame_octets(frame, limit)?;
    let (Some(header), Some(length)) = (Header::read(frame), length) else {
        return Err(malformed("Message Length", 1, "is more than what came", 5015));
    };
    if length != frame.len() {
        return Err(malformed("Message Length", 1, "is not that of the frame", 5015));
    }
    //= RFC 6733 §3
    // The E bit is an answer's alone.
    if header.is_request() && header.flags & ERROR != 0 {
        return Err(malformed("Command Flags", 4, "has R and E both set", 3008));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_both_ways() {
        let header = Header {
            length: 0x01_0204,
            flags: REQUEST | PROXIABLE,
            command: 316,
            application: 16_777_251,
            hop_by_hop: 7,
            end_to_end: u32::MAX,
        };
        assert_eq!(Header::read(&header.octets()), Some(header));
        assert_eq!(Header::read(&[1; 19]), None);
    }

    #[test]
    fn a_length_that_cannot_be_is_an_error() {
        let limit = 64;
        assert_eq!(frame_octets(&[], limit), Ok(None));
        assert_eq!(frame_octets(&[1, 0, 0], limit), Ok(None));
        assert_eq!(frame_octets(&[1, 0, 0, 20], limit), Ok(Some(20)));
        let code = |bytes: &[u8]| frame_octets(bytes, limit).map_err(|error| error.code);
        assert_eq!(code(&[2]), Err(5011));
        assert_eq!(code(&[1, 0, 0, 16]), Err(5015));
        assert_eq!(code(&[1, 0, 0, 22]), Err(5015));
        assert_eq!(code(&[1, 0, 0, 68]), Err(5015));
    }
}
