//! SCCP: messages by the places of their fields.
//!
//! - [`address`] called and calling parties, and the global titles in them.
//! - [`connection`] messages of connections.
//! - [`write`](mod@write) the same message with other addresses; messages given back; our own.
//! - [`scmg`] the messages by which subsystems are managed.

pub mod address;
pub mod connection;
pub mod scmg;
pub mod write;

use octets::le16;
use procedure::{Layer, Malformed};

pub use address::{Address, Title};

/// Kinds of message.
//= Q.713 §2.1
#[allow(missing_docs, reason = "the standard's own names")]
pub mod kind {
    pub const CR: u8 = 1;
    pub const CC: u8 = 2;
    pub const CREF: u8 = 3;
    pub const RLSD: u8 = 4;
    pub const RLC: u8 = 5;
    pub const DT1: u8 = 6;
    pub const DT2: u8 = 7;
    pub const AK: u8 = 8;
    pub const ED: u8 = 11;
    pub const EA: u8 = 12;
    pub const RSR: u8 = 13;
    pub const RSC: u8 = 14;
    pub const ERR: u8 = 15;
    pub const IT: u8 = 16;
    pub const UDT: u8 = 9;
    pub const UDTS: u8 = 10;
    pub const XUDT: u8 = 17;
    pub const XUDTS: u8 = 18;
    pub const LUDT: u8 = 19;
    pub const LUDTS: u8 = 20;
}

/// Why a message is given back.
//= Q.713 §3.12
#[allow(missing_docs, reason = "the standard's own names")]
pub mod cause {
    pub const NO_TRANSLATION_FOR_NATURE: u8 = 0;
    pub const NO_TRANSLATION: u8 = 1;
    pub const SUBSYSTEM_CONGESTION: u8 = 2;
    pub const SUBSYSTEM_FAILURE: u8 = 3;
    pub const UNEQUIPPED: u8 = 4;
    pub const NETWORK_FAILURE: u8 = 5;
    pub const NETWORK_CONGESTION: u8 = 6;
    pub const UNQUALIFIED: u8 = 7;
    pub const ERROR_IN_TRANSPORT: u8 = 8;
    pub const ERROR_IN_PROCESSING: u8 = 9;
    pub const HOP_COUNTER: u8 = 12;
}

/// Tags of optional parameters.
//= Q.713 §3.1
mod optional {
    pub(super) const END: u8 = 0;
    pub(super) const CALLING: u8 = 0x04;
    pub(super) const SEGMENTATION: u8 = 0x10;
    pub(super) const HOP_COUNTER: u8 = 0x11;
}

/// Most optional parameters that are looked at.
const OPTIONALS_MAX: usize = 16;

/// A connectionless message.
//= Q.713 §4.10
//= Q.713 §4.18
//= Q.713 §4.20
#[derive(Clone, Copy, Debug)]
pub struct Unitdata<'a> {
    /// The whole SCCP message.
    pub octets: &'a [u8],
    /// Which it is.
    pub kind: u8,
    /// Protocol class 0 or 1; of a message given back, its cause.
    pub class: u8,
    /// To be given back when it cannot be delivered.
    pub returns: bool,
    /// Hop counter, where it has one.
    pub hops: Option<u8>,
    /// Where its parts lie.
    pub parts: Parts,
    /// Where it goes.
    pub called: Address<'a>,
    /// Where it comes from.
    pub calling: Address<'a>,
    /// The user's part, or a segment of it.
    pub data: &'a [u8],
    /// The optional parameters with their end, where there are any.
    pub optional: &'a [u8],
    /// What segment this is, where it is one of several.
    pub segment: Option<Segment>,
}

/// Where a message's parts lie: the places of their length octets in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Called party address.
    pub called: usize,
    /// Calling party address.
    pub calling: usize,
    /// The user's part.
    pub data: usize,
    /// The first optional parameter, where there are any.
    pub optional: Option<usize>,
}

/// One segment of a longer message.
//= Q.713 §3.17
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first one.
    pub first: bool,
    /// How many follow.
    pub remaining: u8,
    /// Names the message among those of its sender.
    pub reference: u32,
}

/// A complaint about an SCCP message.
pub(crate) const fn malformed(field: &'static str, at: usize, why: &'static str) -> Malformed {
    Malformed { layer: Layer::Sccp, field, offset: at as u32, why, code: 0 }
}

/// How the pointers of a kind of message are laid out.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Where the first pointer is.
    pub(crate) pointers: usize,
    /// How many there are.
    pub(crate) count: usize,
    /// Two octets each, and so is the length of the user's part.
    pub(crate) is_long: bool,
}

impl Layout {
    pub(crate) const fn of(kind: u8) -> Option<Self> {
        Some(match kind {
            kind::UDT | kind::UDTS => Self { pointers: 2, count: 3, is_long: false },
            kind::XUDT | kind::XUDTS => Self { pointers: 3, count: 4, is_long: false },
            kind::LUDT | kind::LUDTS => Self { pointers: 3, count: 4, is_long: true },
            _ => return None,
        })
    }

    /// Where a pointer stands.
    pub(crate) const fn place(self, index: usize) -> usize {
        self.pointers + index * if self.is_long { 2 } else { 1 }
    }

    /// What a pointer counts from.
    //= Q.713 §2.3
    pub(crate) const fn base(self, index: usize) -> usize {
        self.place(index) + if self.is_long { 1 } else { 0 }
    }

    /// Where a pointer leads; `None` for none.
    fn target(self, octets: &[u8], index: usize) -> Result<Option<usize>, Malformed> {
        let at = self.place(index);
        let value = if self.is_long {
            le16(octets, at).map(usize::from)
        } else {
            octets.get(at).map(|one| usize::from(*one))
        };
        match value {
            None => Err(malformed("Pointer", at, "past the end")),
            Some(0) => Ok(None),
            Some(value) => Ok(Some(self.base(index) + value)),
        }
    }

    const fn end(self) -> usize {
        self.place(self.count)
    }
}

/// Whether a kind of message belongs to a connection.
//= Q.713 §4.2
#[must_use]
pub const fn is_connection(kind: u8) -> bool {
    matches!(kind, 1..=8 | 11..=16)
}

impl<'a> Unitdata<'a> {
    /// Reads a connectionless message.
    ///
    /// # Errors
    /// It is of another kind, or its pointers contradict each other or its end.
    #[inline]
    pub fn new(octets: &'a [u8], ansi: bool) -> Result<Self, Malformed> {
        let kind = *octets.first().ok_or_else(|| malformed("Message Type", 0, "missing"))?;
        let layout = Layout::of(kind)
            .ok_or_else(|| malformed("Message Type", 0, "not a connectionless message"))?;
        let class = *octets.get(1).ok_or_else(|| malformed("Protocol Class", 1, "missing"))?;
        let hops = (layout.count == 4).then(|| octets.get(2).copied()).flatten();
        let mandatory = |index, field| {
            let at = layout.target(octets, index)?;
            at.ok_or_else(|| malformed(field, layout.place(index), "has no pointer"))
        };
        let parts = Parts {
            called: mandatory(0, "Called Party Address")?,
            calling: mandatory(1, "Calling Party Address")?,
            data: mandatory(2, "Data")?,
            optional: if layout.count == 4 { layout.target(octets, 3)? } else { None },
        };
        let called = part(octets, parts.called, false, "Called Party Address")?;
        let calling = part(octets, parts.calling, false, "Calling Party Address")?;
        let data = part(octets, parts.data, layout.is_long, "Data")?;
        let (segment, optional) = match parts.optional {
            Some(at) => optionals(octets, at)?,
            None => (None, &[][..]),
        };
        let lengths = [called.len(), calling.len(), data.len(), optional.len()];
        check_apart(&parts, layout, lengths)?;
        let is_service = matches!(kind, kind::UDTS | kind::XUDTS | kind::LUDTS);
        Ok(Self {
            octets,
            kind,
            class: if is_service { class } else { class & 0x0f },
            returns: !is_service && class & 0x80 != 0,
            hops,
            parts,
            called: Address::new(called, parts.called + 1, ansi)?,
            calling: Address::new(calling, parts.calling + 1, ansi)?,
            data,
            optional,
            segment,
        })
    }

    /// Whether it is a message that was given back.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        matches!(self.kind, kind::UDTS | kind::XUDTS | kind::LUDTS)
    }

    /// What segment of a longer message it is; `None` where it is a whole one, if only by its being
    /// the first and the last.
    #[must_use]
    pub fn piece(&self) -> Option<Segment> {
        self.segment.filter(|segment| !segment.first || segment.remaining > 0)
    }

    /// Where the user's part begins in the message.
    #[must_use]
    pub const fn data_offset(&self) -> usize {
        let is_long = matches!(self.kind, kind::LUDT | kind::LUDTS);
        self.parts.data + if is_long { 2 } else { 1 }
    }
}

/// The value of a variable part, without its length.
#[inline]
fn part<'a>(
    octets: &'a [u8],
    at: usize,
    is_long: bool,
    field: &'static str,
) -> Result<&'a [u8], Malformed> {
    let found = if is_long {
        le16(octets, at).and_then(|length| octets.get(at + 2..at + 2 + usize::from(length)))
    } else {
        octets.get(at).and_then(|one| octets.get(at + 1..at + 1 + usize::from(*one)))
    };
    found.ok_or_else(|| malformed(field, at, "past the end of the message"))
}

/// Parts that lie over each other or over the pointers cannot be told apart when one grows.
fn check_apart(
    parts: &Parts,
    layout: Layout,
    [called, calling, data, optional]: [usize; 4],
) -> Result<(), Malformed> {
    let long = usize::from(layout.is_long);
    let mut spans = [
        (parts.called, parts.called + 1 + called),
        (parts.calling, parts.calling + 1 + calling),
        (parts.data, parts.data + 1 + long + data),
        parts.optional.map_or((usize::MAX, usize::MAX), |at| (at, at + optional)),
    ];
    spans.sort_unstable();
    let mut end = layout.end();
    for (start, next) in spans {
        if start < end {
            return Err(malformed("Pointer", start, "parts overlap"));
        }
        end = next;
    }
    Ok(())
}

/// The segmentation parameter among the optional ones, and the octets of all.
fn optionals(octets: &[u8], start: usize) -> Result<(Option<Segment>, &[u8]), Malformed> {
    let past = |at| malformed("Optional Part", at, "past the end of the message");
    let (mut found, mut at) = (None, start);
    for _ in 0..OPTIONALS_MAX {
        let tag = *octets.get(at).ok_or_else(|| past(at))?;
        if tag == optional::END {
            return Ok((found, octets.get(start..=at).unwrap_or_default()));
        }
        let value = part(octets, at + 1, false, "Optional Part")?;
        if tag == optional::SEGMENTATION {
            // Whoever takes the message may read another one of two, or one of another length.
            let ([head, a, b, c], None) = (value, found) else {
                return Err(malformed("Segmentation", at, "not one of four octets"));
            };
            found = Some(Segment {
                first: head & 0x80 != 0,
                remaining: head & 0x0f,
                reference: u32::from_be_bytes([0, *a, *b, *c]),
            });
        }
        at += 2 + value.len();
    }
    Err(malformed("Optional Part", at, "too many parameters"))
}

#[cfg(test)]
pub(crate) mod tests;
