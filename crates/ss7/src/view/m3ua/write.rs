//! Messages that the gateway originates, parameter by parameter.

use octets::padded_len;

use super::{Data, HEADER_OCTETS, Kind, LABEL_OCTETS, PointCode, tag};

/// Appends one message to a buffer. The lengths are put in as it grows, so what is there is whole
/// after every call.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// Begins a message.
    pub fn new(out: &'a mut Vec<u8>, kind: Kind) -> Self {
        let start = out.len();
        out.extend_from_slice(&[1, 0, kind.0, kind.1, 0, 0, 0, HEADER_OCTETS as u8]);
        Self { out, start }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(self, tag: u16, value: &[u8]) -> Self {
        self.nested(tag, |out| out.extend_from_slice(value))
    }

    /// Adds a parameter of one number.
    #[must_use]
    pub fn number(self, tag: u16, value: u32) -> Self {
        self.parameter(tag, &value.to_be_bytes())
    }

    /// Adds a parameter of numbers; none where there are none.
    #[must_use]
    pub fn numbers(self, tag: u16, values: &[u32]) -> Self {
        if values.is_empty() {
            return self;
        }
        self.nested(tag, |out| {
            values.iter().for_each(|value| out.extend_from_slice(&value.to_be_bytes()));
        })
    }

    /// Adds a parameter of one number if there is one.
    #[must_use]
    pub fn maybe(self, tag: u16, value: Option<u32>) -> Self {
        match value {
            Some(value) => self.number(tag, value),
            None => self,
        }
    }

    /// Adds a parameter whose value `write` appends, perhaps of further parameters by [`inner`].
    #[must_use]
    pub fn nested(mut self, tag: u16, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        inner(self.out, tag, write);
        self.finish();
        self
    }

    /// Adds Protocol Data: a routing label and what `user` appends.
    //= RFC 4666 §3.3.1
    #[must_use]
    pub fn data(self, label: &Label, user: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.nested(tag::PROTOCOL_DATA, |out| {
            out.extend_from_slice(&label.octets());
            user(out);
        })
    }

    fn finish(&mut self) {
        let length = u32::try_from(self.out.len() - self.start).unwrap_or(u32::MAX);
        if let Some(field) = self.out.get_mut(self.start + 4..self.start + 8) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Appends a parameter whose value `write` appends, with its padding.
pub fn inner(out: &mut Vec<u8>, tag: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = out.len() - start;
    if let Some(field) = out.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }
    out.resize(start + padded_len(length), 0);
}

/// A routing label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Originating point code.
    pub opc: PointCode,
    /// Destination point code.
    pub dpc: PointCode,
    /// Service indicator.
    pub service: u8,
    /// Network indicator.
    pub network: u8,
    /// Message priority.
    pub priority: u8,
    /// Signalling link selection.
    pub sls: u8,
}

impl Label {
    /// That of a received message.
    #[must_use]
    pub const fn of(data: &Data<'_>) -> Self {
        Self {
            opc: data.opc,
            dpc: data.dpc,
            service: data.service,
            network: data.network,
            priority: data.priority,
            sls: data.sls,
        }
    }

    /// For an answer to it.
    #[must_use]
    pub const fn back(&self) -> Self {
        Self { opc: self.dpc, dpc: self.opc, ..*self }
    }

    fn octets(&self) -> [u8; LABEL_OCTETS] {
        let [a, b, c, d] = self.opc.0.to_be_bytes();
        let [e, f, g, h] = self.dpc.0.to_be_bytes();
        [a, b, c, d, e, f, g, h, self.service, self.network, self.priority, self.sls]
    }
}
