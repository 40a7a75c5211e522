//! M3UA: the common header, parameters by their place, and the message that carries traffic.
//!
//! Nothing is copied and nothing that is not known is lost: parameters are walked, not parsed.

mod point_code;
mod write;

use octets::{be16, be32, padded_len};
use procedure::{Layer, Malformed};

pub use point_code::{PointCode, Variant};
pub use write::{Label, Writer, inner};

/// Octets of the common header.
pub const HEADER_OCTETS: usize = 8;
/// Longest message taken: a long LUDT with room for what other parameters add.
pub const FRAME_OCTETS_MAX: usize = 8 << 10;
/// Most parameters that are looked at in one message.
pub const PARAMETERS_MAX: usize = 64;

/// Messages that lie one after the other.
pub fn frames(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (frame, tail) = rest.split_at_checked(frame_octets(rest).ok()??)?;
        rest = tail;
        Some(frame)
    })
}

/// Class and type of a message, as one number.
//= RFC 4666 §3.1.4
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8, pub u8);

#[allow(missing_docs, reason = "the standard's own names")]
impl Kind {
    pub const ERROR: Self = Self(0, 0);
    pub const NOTIFY: Self = Self(0, 1);
    pub const DATA: Self = Self(1, 1);
    pub const DUNA: Self = Self(2, 1);
    pub const DAVA: Self = Self(2, 2);
    pub const DAUD: Self = Self(2, 3);
    pub const SCON: Self = Self(2, 4);
    pub const DUPU: Self = Self(2, 5);
    pub const DRST: Self = Self(2, 6);
    pub const ASP_UP: Self = Self(3, 1);
    pub const ASP_DOWN: Self = Self(3, 2);
    pub const BEAT: Self = Self(3, 3);
    pub const ASP_UP_ACK: Self = Self(3, 4);
    pub const ASP_DOWN_ACK: Self = Self(3, 5);
    pub const BEAT_ACK: Self = Self(3, 6);
    pub const ASP_ACTIVE: Self = Self(4, 1);
    pub const ASP_INACTIVE: Self = Self(4, 2);
    pub const ASP_ACTIVE_ACK: Self = Self(4, 3);
    pub const ASP_INACTIVE_ACK: Self = Self(4, 4);
    pub const REG_REQ: Self = Self(9, 1);
    pub const REG_RSP: Self = Self(9, 2);
    pub const DEREG_REQ: Self = Self(9, 3);
    pub const DEREG_RSP: Self = Self(9, 4);
}

/// Tags of parameters.
//= RFC 4666 §3.2
#[allow(missing_docs, reason = "the standard's own names")]
pub mod tag {
    pub const INFO_STRING: u16 = 0x0004;
    pub const ROUTING_CONTEXT: u16 = 0x0006;
    pub const DIAGNOSTIC: u16 = 0x0007;
    pub const HEARTBEAT_DATA: u16 = 0x0009;
    pub const TRAFFIC_MODE: u16 = 0x000b;
    pub const ERROR_CODE: u16 = 0x000c;
    pub const STATUS: u16 = 0x000d;
    pub const ASP_IDENTIFIER: u16 = 0x0011;
    pub const AFFECTED_POINT_CODE: u16 = 0x0012;
    pub const CORRELATION: u16 = 0x0013;
    pub const REGISTRATION_RESULT: u16 = 0x0208;
    pub const DEREGISTRATION_RESULT: u16 = 0x0209;
    pub const REGISTRATION_STATUS: u16 = 0x0212;
    pub const DEREGISTRATION_STATUS: u16 = 0x0213;
    pub const LOCAL_KEY: u16 = 0x020a;
    pub const NETWORK_APPEARANCE: u16 = 0x0200;
    pub const USER_CAUSE: u16 = 0x0204;
    pub const CONGESTION: u16 = 0x0205;
    pub const CONCERNED: u16 = 0x0206;
    pub const ROUTING_KEY: u16 = 0x0207;
    pub const DESTINATION: u16 = 0x020b;
    pub const SERVICE_INDICATORS: u16 = 0x020c;
    pub const ORIGINATING: u16 = 0x020e;
    pub const PROTOCOL_DATA: u16 = 0x0210;
}

/// Codes of the Error message.
//= RFC 4666 §3.8.1
#[allow(missing_docs, reason = "the standard's own names")]
pub mod error {
    pub const INVALID_VERSION: u32 = 0x01;
    pub const UNSUPPORTED_CLASS: u32 = 0x03;
    pub const UNSUPPORTED_TYPE: u32 = 0x04;
    pub const UNSUPPORTED_MODE: u32 = 0x05;
    pub const UNEXPECTED: u32 = 0x06;
    pub const PROTOCOL: u32 = 0x07;
    pub const REFUSED: u32 = 0x0d;
    pub const IDENTIFIER_REQUIRED: u32 = 0x0e;
    pub const INVALID_IDENTIFIER: u32 = 0x0f;
    pub const INVALID_VALUE: u32 = 0x11;
    pub const PARAMETER_FIELD: u32 = 0x12;
    pub const MISSING_PARAMETER: u32 = 0x16;
    pub const INVALID_CONTEXT: u32 = 0x19;
    pub const NO_SERVER: u32 = 0x1a;
}

/// A complaint about an M3UA message.
pub(crate) const fn malformed(
    field: &'static str,
    at: usize,
    why: &'static str,
    code: u32,
) -> Malformed {
    Malformed { layer: Layer::M3ua, field, offset: at as u32, why, code }
}

/// How long the message at the head of `bytes` is; `None` while its header is not there.
///
/// # Errors
/// The version is not 1, or the length is impossible or above the limit.
//= RFC 4666 §3.1
pub fn frame_octets(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(head) = bytes.first_chunk::<HEADER_OCTETS>() else { return Ok(None) };
    if head[0] != 1 {
        return Err(malformed("Version", 0, "not 1", error::INVALID_VERSION));
    }
    let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let why = match length {
        0..HEADER_OCTETS => "shorter than the header",
        _ if !length.is_multiple_of(4) => "not a multiple of four",
        _ if length > FRAME_OCTETS_MAX => "above the limit",
        _ => return Ok(Some(length)),
    };
    Err(malformed("Message Length", 4, why, error::PROTOCOL))
}

/// A parameter where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// What it is.
    pub tag: u16,
    /// Its value, without padding.
    pub value: &'a [u8],
    /// Where the value begins in the message.
    pub offset: usize,
}

impl<'a> Parameter<'a> {
    /// The value as one number of four octets.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        (self.value.len() == 4).then(|| be32(self.value, 0)).flatten()
    }

    /// The value as a list of numbers of four octets; a rest that is none is passed over.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + 'a {
        self.value.chunks_exact(4).filter_map(|octets| be32(octets, 0))
    }
}

/// A message whose parameters have been walked to the end.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    frame: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks one whole message: its header, and that every parameter lies inside.
    ///
    /// # Errors
    /// What is wrong, and where; `code` is that of the Error message it is answered with.
    //= RFC 4666 §3.2
    #[inline]
    pub fn new(frame: &'a [u8]) -> Result<Self, Malformed> {
        if frame_octets(frame)? != Some(frame.len()) {
            let why = "not the length of the message";
            return Err(malformed("Message Length", 4, why, error::PROTOCOL));
        }
        let message = Self { frame };
        let (mut at, mut count) = (HEADER_OCTETS, 0);
        while at < frame.len() {
            count += 1;
            if count > PARAMETERS_MAX {
                return Err(malformed("Parameter", at, "too many", error::PROTOCOL));
            }
            let length = be16(frame, at + 2).map_or(0, usize::from);
            if length < 4 || at + length > frame.len() {
                let why = "past the end of the message";
                return Err(malformed("Parameter Length", at + 2, why, error::PARAMETER_FIELD));
            }
            at += padded_len(length);
        }
        Ok(message)
    }

    /// Its class and type.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.frame.first_chunk::<4>() {
            Some(&[_, _, class, kind]) => Kind(class, kind),
            None => Kind(u8::MAX, u8::MAX),
        }
    }

    /// Its octets.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.frame
    }

    /// Its parameters in order.
    #[inline]
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters { bytes: self.frame, at: HEADER_OCTETS }
    }

    /// The first parameter with this tag.
    #[must_use]
    pub fn find(&self, tag: u16) -> Option<Parameter<'a>> {
        self.parameters().find(|parameter| parameter.tag == tag)
    }
}

/// Parameters one after the other; ends early where one does not fit.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parameters<'a> {
    /// Those inside a parameter that has some (Routing Key, Registration Result).
    #[must_use]
    pub const fn inside(value: &'a [u8]) -> Self {
        Self { bytes: value, at: 0 }
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    #[inline]
    fn next(&mut self) -> Option<Parameter<'a>> {
        let tag = be16(self.bytes, self.at)?;
        let length = usize::from(be16(self.bytes, self.at + 2)?);
        let value = self.bytes.get(self.at + 4..self.at + length)?;
        let offset = self.at + 4;
        self.at += padded_len(length);
        Some(Parameter { tag, value, offset })
    }
}

/// The message that carries traffic, by the places of its fields.
//= RFC 4666 §3.3.1
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// The whole message.
    pub frame: &'a [u8],
    /// Routing Context, where there is one: the place of its value and the first of them.
    pub context: Option<(usize, u32)>,
    /// Network Appearance, where there is one.
    pub appearance: Option<u32>,
    /// It has parameters besides these.
    pub has_more: bool,
    /// Where the value of Protocol Data begins.
    pub protocol_data: usize,
    /// Originating point code.
    pub opc: PointCode,
    /// Destination point code.
    pub dpc: PointCode,
    /// Service indicator: 3 is SCCP, 5 ISUP.
    pub service: u8,
    /// Network indicator.
    pub network: u8,
    /// Message priority.
    pub priority: u8,
    /// Signalling link selection.
    pub sls: u8,
    /// The user's part.
    pub user: &'a [u8],
}

/// Octets of Protocol Data before the user's part.
pub const LABEL_OCTETS: usize = 12;
/// Service indicator of SCCP.
//= Q.704 §14.2.1
pub const SERVICE_SCCP: u8 = 3;

impl<'a> Data<'a> {
    /// Reads a DATA message.
    ///
    /// # Errors
    /// It is none, is wrongly built, or has no Protocol Data with a whole routing label.
    #[inline]
    pub fn new(frame: &'a [u8]) -> Result<Self, Malformed> {
        let message = Message::new(frame)?;
        if message.kind() != Kind::DATA {
            return Err(malformed("Message Type", 3, "not DATA", error::UNEXPECTED));
        }
        let (mut context, mut appearance, mut data) = (None, None, None);
        let mut has_more = false;
        for parameter in message.parameters() {
            match parameter.tag {
                tag::ROUTING_CONTEXT => {
                    let first = parameter.numbers().next();
                    context = context.or(first.map(|first| (parameter.offset, first)));
                }
                tag::NETWORK_APPEARANCE => appearance = appearance.or(parameter.number()),
                tag::PROTOCOL_DATA => data = data.or(Some(parameter)),
                _ => has_more = true,
            }
        }
        let data = data.ok_or_else(|| {
            malformed("Protocol Data", HEADER_OCTETS, "missing", error::MISSING_PARAMETER)
        })?;
        let Some((label, user)) = data.value.split_first_chunk::<LABEL_OCTETS>() else {
            let why = "shorter than a routing label";
            return Err(malformed("Protocol Data", data.offset, why, error::PARAMETER_FIELD));
        };
        let [a, b, c, d, e, f, g, h, service, network, priority, sls] = *label;
        Ok(Self {
            frame,
            context,
            appearance,
            has_more,
            protocol_data: data.offset,
            opc: PointCode(u32::from_be_bytes([a, b, c, d])),
            dpc: PointCode(u32::from_be_bytes([e, f, g, h])),
            service,
            network,
            priority,
            sls,
            user,
        })
    }

    /// Where the user's part begins in the message.
    #[must_use]
    pub const fn user_offset(&self) -> usize {
        self.protocol_data + LABEL_OCTETS
    }
}

/// The signalling link selection of a DATA message that was built or checked here, without reading
/// the rest; 0 for anything else.
#[must_use]
pub fn sls(frame: &[u8]) -> Option<u8> {
    let data = Parameters { bytes: frame, at: HEADER_OCTETS };
    let is_data = frame.get(2..4) == Some(&[Kind::DATA.0, Kind::DATA.1]);
    let mut parameters = data.filter(|parameter| is_data && parameter.tag == tag::PROTOCOL_DATA);
    parameters.next()?.value.get(LABEL_OCTETS - 1).copied()
}

#[cfg(test)]
mod tests;
