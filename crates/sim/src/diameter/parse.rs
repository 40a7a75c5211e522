//! Reading a message: a bounds-checked header and an iterator over AVPs. Nothing is allocated.

use super::{FLAG_ERROR, FLAG_REQUEST, FLAG_RETRANSMIT, HEADER, avp};

/// Why bytes are no Diameter message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer bytes than the header or the AVP's own length needs.
    Truncated,
    /// The version octet is not 1.
    Version(u8),
    /// A length smaller than its own header, not a multiple of four, or over the limit.
    Length(usize),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated message or AVP"),
            Self::Version(v) => write!(f, "Diameter version {v}, expected 1"),
            Self::Length(n) => write!(f, "impossible length {n}"),
        }
    }
}

impl std::error::Error for Malformed {}

/// The longest message that the simulated peers accept, in bytes.
pub const LONGEST: usize = 1 << 20;

/// The length of the message that starts `bytes`: `None` until four bytes are there.
///
/// # Errors
/// [`Malformed`] where no message can start like this; the connection cannot be resynchronised.
//= RFC 6733 §3
// The length field comprises header and padded AVPs, so it is a multiple of four.
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(&[version, a, b, c]) = bytes.first_chunk::<4>() else { return Ok(None) };
    if version != 1 {
        return Err(Malformed::Version(version));
    }
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    if length < HEADER || !length.is_multiple_of(4) || length > LONGEST {
        return Err(Malformed::Length(length));
    }
    Ok(Some(length))
}

/// A parsed header over the bytes of exactly one message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Command flags.
    pub flags: u8,
    /// Command code.
    pub command: u32,
    /// Application-Id.
    pub application: u32,
    /// Hop-by-Hop Identifier.
    pub hop_by_hop: u32,
    /// End-to-End Identifier.
    pub end_to_end: u32,
    body: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|w| u32::from_be_bytes(*w))
}

impl<'a> Message<'a> {
    /// Reads the header of `frame`, which must be exactly one message.
    ///
    /// # Errors
    /// [`Malformed`] when the header's length is not the frame's, or the version is not 1.
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        if frame_length(frame)? != Some(frame.len()) {
            return Err(Malformed::Truncated);
        }
        let fields = || {
            let second = word(frame, 4)?;
            Some(Self {
                flags: second.to_be_bytes()[0],
                command: second & 0x00ff_ffff,
                application: word(frame, 8)?,
                hop_by_hop: word(frame, 12)?,
                end_to_end: word(frame, 16)?,
                body: frame.get(HEADER..)?,
            })
        };
        fields().ok_or(Malformed::Truncated)
    }

    /// True for a request, false for an answer.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.flags & FLAG_REQUEST != 0
    }

    /// True when the E bit marks a protocol error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.flags & FLAG_ERROR != 0
    }

    /// True when the T bit marks a request that may have been sent before.
    #[must_use]
    pub fn is_retransmit(&self) -> bool {
        self.flags & FLAG_RETRANSMIT != 0
    }

    /// The message's AVPs in order.
    #[must_use]
    pub fn avps(&self) -> Avps<'a> {
        Avps { rest: self.body }
    }

    /// The data of the first base AVP with this code, if the AVPs before it are well formed.
    #[must_use]
    pub fn find(&self, code: u32) -> Option<&'a [u8]> {
        self.avps().map_while(Result::ok).find(|a| a.is_base(code)).map(|a| a.data)
    }
}

/// One AVP.
#[derive(Clone, Copy, Debug)]
pub struct Avp<'a> {
    /// AVP code.
    pub code: u32,
    /// AVP flags: V, M and P bits.
    pub flags: u8,
    /// Vendor-Id, 0 where the V bit is clear.
    pub vendor: u32,
    /// The data without padding.
    pub data: &'a [u8],
    /// Header, data and padding as they stood in the message.
    pub raw: &'a [u8],
}

impl<'a> Avp<'a> {
    /// True for the AVP `code` of the base protocol.
    #[must_use]
    pub fn is_base(&self, code: u32) -> bool {
        self.code == code && self.vendor == 0
    }

    /// True for the AVP `code` of 3GPP.
    #[must_use]
    pub fn is_3gpp(&self, code: u32) -> bool {
        self.code == code && self.vendor == super::VENDOR_3GPP
    }

    /// The data as Unsigned32 or Enumerated, if it is four bytes long.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        <[u8; 4]>::try_from(self.data).ok().map(u32::from_be_bytes)
    }

    /// The AVPs inside a grouped AVP.
    #[must_use]
    pub fn children(&self) -> Avps<'a> {
        Avps { rest: self.data }
    }
}

/// An iterator over AVPs; after an error it ends.
#[derive(Clone, Copy, Debug)]
pub struct Avps<'a> {
    rest: &'a [u8],
}

impl<'a> Avps<'a> {
    //= RFC 6733 §4.1
    // Code, flags, a 24-bit length without padding, and Vendor-Id when the V bit is set.
    fn read(&mut self) -> Result<Avp<'a>, Malformed> {
        let code = word(self.rest, 0).ok_or(Malformed::Truncated)?;
        let second = word(self.rest, 4).ok_or(Malformed::Truncated)?;
        let flags = second.to_be_bytes()[0];
        let length = usize::try_from(second & 0x00ff_ffff).unwrap_or(usize::MAX);
        let header = if flags & 0x80 == 0 { 8 } else { 12 };
        if length < header {
            return Err(Malformed::Length(length));
        }
        let vendor =
            if header == 12 { word(self.rest, 8).ok_or(Malformed::Truncated)? } else { 0 };
        let data = self.rest.get(header..length).ok_or(Malformed::Truncated)?;
        let padded = length.next_multiple_of(4).min(self.rest.len());
        let (raw, rest) = self.rest.split_at_checked(padded).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(Avp { code, flags, vendor, data, raw })
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<Avp<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

/// What an answer says: a base Result-Code, or a vendor's Experimental-Result-Code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Result-Code (268).
    Base(u32),
    /// Experimental-Result (297) with its code (298).
    Experimental(u32),
    /// Neither AVP: the answer breaks RFC 6733 §7.1.
    Absent,
}

impl Outcome {
    /// True for DIAMETER_SUCCESS and its 2xxx relatives in Result-Code.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Base(2000..=2999))
    }

    /// Reads `avp` if it is one of the two result AVPs.
    //= RFC 6733 §7.6
    // Experimental-Result holds a Vendor-Id and the vendor's code, and stands instead of Result-Code.
    #[must_use]
    pub fn of(avp: &Avp<'_>) -> Option<Self> {
        if avp.is_base(avp::RESULT_CODE) {
            return avp.number().map(Self::Base);
        }
        if !avp.is_base(avp::EXPERIMENTAL_RESULT) {
            return None;
        }
        let inner = avp.children().map_while(Result::ok);
        inner
            .filter(|a| a.is_base(avp::EXPERIMENTAL_RESULT_CODE))
            .find_map(|a| a.number())
            .map(Self::Experimental)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Base(code) => write!(f, "{code}"),
            Self::Experimental(code) => write!(f, "exp:{code}"),
            Self::Absent => f.write_str("none"),
        }
    }
}
