//! Messages of connections: their local references, and what a request to connect says.

use procedure::Malformed;

use super::{Address, kind, malformed, optional, optionals, part};

/// How an end numbers a connection: whatever its three octets mean to it.
//= Q.713 §3.2
pub type Reference = [u8; 3];

/// A message of a connection.
//= Q.713 §4.2
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// The whole SCCP message.
    pub octets: &'a [u8],
    /// Which it is.
    pub kind: u8,
    /// How the end it goes to numbers the connection (Destination Local Reference).
    pub to: Option<Reference>,
    /// How the end it comes from does (Source Local Reference).
    pub from: Option<Reference>,
    /// Of a request to connect, whom it is for.
    pub called: Address<'a>,
    /// Of a request to connect, who makes it.
    pub calling: Address<'a>,
    /// The hop counter, where it has one.
    pub hops: Option<u8>,
    /// The optional parameters of a request to connect with their end, where there are any.
    optional: &'a [u8],
}

/// What changes in a message that goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renumbered<'b> {
    /// How the end it goes to numbers the connection.
    pub to: Option<Reference>,
    /// How we do, toward that end.
    pub from: Option<Reference>,
    /// The called party address of a request, without its length.
    pub called: Option<&'b [u8]>,
    /// Its hop counter.
    pub hops: Option<u8>,
}

/// Which references a kind of message has, and how long it is at least.
const fn layout(kind: u8) -> Option<(bool, bool, usize)> {
    Some(match kind {
        kind::CR => (false, true, 7),
        kind::CC | kind::RLSD => (true, true, 9),
        kind::CREF | kind::DT1 | kind::AK => (true, false, 6),
        kind::RLC | kind::RSC => (true, true, 7),
        kind::DT2 => (true, false, 7),
        kind::ED | kind::ERR => (true, false, 5),
        kind::EA => (true, false, 4),
        kind::RSR => (true, true, 8),
        kind::IT => (true, true, 11),
        _ => return None,
    })
}

/// Where the pointers of a request to connect stand.
const CALLED_POINTER: usize = 5;
const OPTIONAL_POINTER: usize = 6;
/// Where its parts may begin.
const PARTS: usize = 7;

impl<'a> Connection<'a> {
    /// Reads the parts that are fixed, and all of a request to connect.
    ///
    /// # Errors
    /// It is of another kind, or ends before what it must have.
    pub fn new(octets: &'a [u8], ansi: bool) -> Result<Self, Malformed> {
        let kind = *octets.first().ok_or_else(|| malformed("Message Type", 0, "missing"))?;
        let (has_to, has_from, least) =
            layout(kind).ok_or_else(|| malformed("Message Type", 0, "not of a connection"))?;
        if octets.len() < least {
            return Err(malformed("Message Type", 0, "shorter than what it must have"));
        }
        let reference = |at: usize| octets.get(at..)?.first_chunk().copied();
        let connection = Self {
            octets,
            kind,
            to: reference(1).filter(|_| has_to),
            from: reference(if has_to { 4 } else { 1 }).filter(|_| has_from),
            called: Address::default(),
            calling: Address::default(),
            hops: None,
            optional: &[],
        };
        if kind == kind::CR { connection.request(ansi) } else { Ok(connection) }
    }

    /// The variable parts of a request to connect.
    //= Q.713 §4.2
    fn request(self, ansi: bool) -> Result<Self, Malformed> {
        let octets = self.octets;
        let target = |at: usize| match octets.get(at) {
            Some(&value) if value > 0 => Some(at + usize::from(value)),
            _ => None,
        };
        let at = target(CALLED_POINTER)
            .ok_or_else(|| malformed("Called Party Address", CALLED_POINTER, "has no pointer"))?;
        let called = part(octets, at, false, "Called Party Address")?;
        let mut request = Self { called: Address::new(called, at + 1, ansi)?, ..self };
        let Some(start) = target(OPTIONAL_POINTER) else { return Ok(request) };
        let (_, all) = optionals(octets, start)?;
        let (first, last) = if start < at { (start, at) } else { (at, start) };
        let length = if start < at { all.len() } else { 1 + called.len() };
        if first < PARTS || first + length > last {
            return Err(malformed("Pointer", start, "parts overlap"));
        }
        request.optional = all;
        let (mut place, mut calling) = (start, None);
        while let Some(tag) = octets.get(place).filter(|tag| **tag != optional::END) {
            let value = part(octets, place + 1, false, "Optional Part")?;
            // Whoever takes the message may read another one of two.
            match (*tag, value, calling, request.hops) {
                (optional::CALLING, _, None, _) => {
                    calling = Some(Address::new(value, place + 2, ansi)?);
                }
                (optional::HOP_COUNTER, [hops], _, None) => request.hops = Some(*hops),
                (optional::CALLING | optional::HOP_COUNTER, ..) => {
                    return Err(malformed("Optional Part", place, "not one, or not of its length"));
                }
                _ => {}
            }
            place += 2 + value.len();
        }
        request.calling = calling.unwrap_or_default();
        Ok(request)
    }

    /// Appends the message with these changes; everything else stays as it is, octet for octet. A
    /// request that is readdressed is laid out in the usual order.
    pub fn renumber(&self, changes: &Renumbered<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let mut hops_behind = PARTS.max(self.optional_at());
        match changes.called.filter(|called| *called != self.called.octets) {
            Some(called) => {
                out.extend_from_slice(self.octets.get(..CALLED_POINTER).unwrap_or_default());
                let length = called.len() as u8;
                let behind = if self.optional.is_empty() { 0 } else { length + 2 };
                out.extend_from_slice(&[2, behind, length]);
                out.extend_from_slice(called);
                hops_behind = out.len() - start;
                out.extend_from_slice(self.optional);
            }
            None => out.extend_from_slice(self.octets),
        }
        let from_at = if self.to.is_some() { 4 } else { 1 };
        let mut put = |at: usize, octets: &[u8]| {
            if let Some(field) = out.get_mut(start + at..start + at + octets.len()) {
                field.copy_from_slice(octets);
            }
        };
        if let (Some(to), Some(_)) = (changes.to, self.to) {
            put(1, &to);
        }
        if let (Some(from), Some(_)) = (changes.from, self.from) {
            put(from_at, &from);
        }
        if let (Some(hops), Some(at)) = (changes.hops, self.hops_place()) {
            put(hops_behind + at, &[hops]);
        }
    }

    /// Where the optional part is in the message.
    fn optional_at(&self) -> usize {
        let pointer = self.octets.get(OPTIONAL_POINTER).copied().unwrap_or_default();
        OPTIONAL_POINTER + usize::from(pointer)
    }

    /// Where the hop counter is in the optional part.
    fn hops_place(&self) -> Option<usize> {
        let mut at = 0;
        loop {
            let tag = *self.optional.get(at)?;
            let length = usize::from(*self.optional.get(at + 1)?);
            match (tag, length) {
                (optional::HOP_COUNTER, 1) => return Some(at + 2),
                _ => at += 2 + length,
            }
        }
    }
}

/// Appends a refusal to connect.
//= Q.713 §4.4
pub fn refuse(to: Reference, cause: u8, out: &mut Vec<u8>) {
    put(kind::CREF, &[&to, &[cause, 0]], out);
}

/// Appends a release.
//= Q.713 §4.5
pub fn release(to: Reference, from: Reference, cause: u8, out: &mut Vec<u8>) {
    put(kind::RLSD, &[&to, &from, &[cause, 0]], out);
}

/// Appends the confirmation of a release.
//= Q.713 §4.6
pub fn released(to: Reference, from: Reference, out: &mut Vec<u8>) {
    put(kind::RLC, &[&to, &from], out);
}

/// Appends a complaint.
//= Q.713 §4.14
pub fn error(to: Reference, cause: u8, out: &mut Vec<u8>) {
    put(kind::ERR, &[&to, &[cause]], out);
}

fn put(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests;
