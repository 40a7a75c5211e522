//! The same message with other addresses, messages given back, and our own.

use procedure::Digits;

use super::address::ADDRESS_OCTETS_MAX;
use super::{Layout, Unitdata, kind};
use crate::view::m3ua::PointCode;

/// The last pointer and three lengths of one octet, which a pointer to what is behind counts too.
const ADDRESSES_AND_DATA_OVERHEAD: usize = 4;

/// What changes in a message that goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'b> {
    /// The called party address, without its length.
    pub called: Option<&'b [u8]>,
    /// The hop counter.
    pub hops: Option<u8>,
}

/// Appends the message with these changes; everything else stays as it is, octet for octet. False,
/// with `out` as it was, when a pointer would not reach any more.
#[must_use]
pub fn change(unit: &Unitdata<'_>, changes: &Changes<'_>, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let Some(called) = changes.called.filter(|called| *called != unit.called.octets) else {
        out.extend_from_slice(unit.octets);
        set_hops(unit, changes, start, out);
        return true;
    };
    let place = unit.parts.called;
    let end = place + 1 + unit.called.octets.len();
    let (Some(before), Some(after), Ok(length)) =
        (unit.octets.get(..place), unit.octets.get(end..), u8::try_from(called.len()))
    else {
        return false;
    };
    out.extend_from_slice(before);
    out.push(length);
    out.extend_from_slice(called);
    out.extend_from_slice(after);
    let grown = called.len().cast_signed() - unit.called.octets.len().cast_signed();
    let moved = [Some(unit.parts.calling), Some(unit.parts.data), unit.parts.optional];
    let all_reach = (1..).zip(moved).all(|(index, target)| match target {
        Some(target) if target > place => point(unit.kind, index, target, grown, start, out),
        _ => true,
    });
    if !all_reach {
        out.truncate(start);
        return false;
    }
    set_hops(unit, changes, start, out);
    true
}

fn set_hops(unit: &Unitdata<'_>, changes: &Changes<'_>, start: usize, out: &mut [u8]) {
    if let (Some(hops), Some(_), Some(octet)) = (changes.hops, unit.hops, out.get_mut(start + 2)) {
        *octet = hops;
    }
}

/// Lets a pointer lead to where its part has moved; false where it cannot reach that far.
fn point(
    kind: u8,
    index: usize,
    target: usize,
    grown: isize,
    start: usize,
    out: &mut [u8],
) -> bool {
    let Some(layout) = Layout::of(kind) else { return false };
    let value = target.checked_add_signed(grown).and_then(|to| to.checked_sub(layout.base(index)));
    let Some(value) = value else { return false };
    put_pointer(layout, index, value, start, out)
}

fn put_pointer(layout: Layout, index: usize, value: usize, start: usize, out: &mut [u8]) -> bool {
    let at = start + layout.place(index);
    if layout.is_long {
        let (Ok(value), Some(field)) = (u16::try_from(value), out.get_mut(at..at + 2)) else {
            return false;
        };
        field.copy_from_slice(&value.to_le_bytes());
    } else {
        let (Ok(value), Some(field)) = (u8::try_from(value), out.get_mut(at)) else {
            return false;
        };
        *field = value;
    }
    true
}

/// Appends the message with these changes, its parts laid out in the usual order.
pub fn rebuild(unit: &Unitdata<'_>, changes: &Changes<'_>, out: &mut Vec<u8>) {
    let parts = Built {
        kind: unit.kind,
        class: unit.octets.get(1).copied().unwrap_or_default(),
        hops: changes.hops.or(unit.hops).unwrap_or_default(),
        called: changes.called.unwrap_or(unit.called.octets),
        calling: unit.calling.octets,
        optional: unit.optional,
        data_octets: unit.data.len(),
    };
    // Two addresses always leave room for a pointer to what follows them.
    let _ = build(&parts, out, |out| out.extend_from_slice(unit.data));
}

/// Appends the message as it is given back to its sender. False, with nothing appended, where it
/// does not ask for that or has no sender.
//= Q.714 §4.2
#[must_use]
pub fn give_back(unit: &Unitdata<'_>, cause: u8, hops: u8, out: &mut Vec<u8>) -> bool {
    let kind = match unit.kind {
        kind::UDT => kind::UDTS,
        kind::XUDT => kind::XUDTS,
        kind::LUDT => kind::LUDTS,
        _ => return false,
    };
    if !unit.returns || unit.calling.octets.is_empty() {
        return false;
    }
    let parts = Built {
        kind,
        class: cause,
        hops,
        called: unit.calling.octets,
        calling: unit.called.octets,
        optional: unit.optional,
        data_octets: unit.data.len(),
    };
    build(&parts, out, |out| out.extend_from_slice(unit.data))
}

/// Appends a message of our own in answer to another: from where that went to where it came from,
/// with the user's part that `data` appends. False, with nothing appended, where that is nothing or
/// does not fit.
#[must_use]
pub fn reply(
    unit: &Unitdata<'_>,
    hops: u8,
    out: &mut Vec<u8>,
    data: impl FnOnce(&mut Vec<u8>),
) -> bool {
    let parts = Built {
        // Short messages are answered as they came, and an answer of ours is short.
        kind: if unit.kind == kind::UDT { kind::UDT } else { kind::XUDT },
        class: unit.class & 0x01,
        hops,
        called: unit.calling.octets,
        calling: unit.called.octets,
        optional: &[],
        data_octets: 0,
    };
    let (start, mut is_said) = (out.len(), false);
    let is_built = build(&parts, out, |out| {
        let before = out.len();
        data(out);
        is_said = out.len() > before;
    });
    if !is_said {
        out.truncate(start);
    }
    is_built && is_said
}

struct Built<'a> {
    kind: u8,
    class: u8,
    hops: u8,
    called: &'a [u8],
    calling: &'a [u8],
    optional: &'a [u8],
    /// Of the user's part, where there are optional parameters.
    data_octets: usize,
}

impl Built<'_> {
    /// Whether the optional part stands before the user's part: behind a full segment no pointer
    /// of one octet would reach it.
    fn is_optional_first(&self, layout: Layout) -> bool {
        let before = self.called.len() + self.calling.len() + self.data_octets;
        !layout.is_long && before + ADDRESSES_AND_DATA_OVERHEAD > usize::from(u8::MAX)
    }
}

fn build(parts: &Built<'_>, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    let is_built = try_build(parts, start, out, data);
    if is_built.is_none() {
        out.truncate(start);
    }
    is_built.is_some()
}

fn try_build(
    parts: &Built<'_>,
    start: usize,
    out: &mut Vec<u8>,
    data: impl FnOnce(&mut Vec<u8>),
) -> Option<()> {
    let layout = Layout::of(parts.kind)?;
    out.extend_from_slice(&[parts.kind, parts.class]);
    if layout.count == 4 {
        out.push(parts.hops);
    }
    out.resize(start + layout.place(layout.count), 0);
    let here = |out: &Vec<u8>, index| (out.len() - start).checked_sub(layout.base(index));
    for (index, address) in [parts.called, parts.calling].into_iter().enumerate() {
        let value = here(out, index)?;
        put_pointer(layout, index, value, start, out).then_some(())?;
        out.push(u8::try_from(address.len()).ok()?);
        out.extend_from_slice(address);
    }
    let put_optional = |out: &mut Vec<u8>| {
        let value = here(out, 3)?;
        put_pointer(layout, 3, value, start, out).then_some(())?;
        out.extend_from_slice(parts.optional);
        Some(())
    };
    let (has_optional, is_first) = (!parts.optional.is_empty(), parts.is_optional_first(layout));
    if has_optional && is_first {
        put_optional(out)?;
    }
    let value = here(out, 2)?;
    put_pointer(layout, 2, value, start, out).then_some(())?;
    let at = out.len();
    out.resize(at + if layout.is_long { 2 } else { 1 }, 0);
    let begin = out.len();
    data(out);
    let length = out.len() - begin;
    if layout.is_long {
        out.get_mut(at..at + 2)?.copy_from_slice(&u16::try_from(length).ok()?.to_le_bytes());
    } else {
        *out.get_mut(at)? = u8::try_from(length).ok()?;
    }
    if has_optional && !is_first {
        put_optional(out)?;
    }
    Some(())
}

/// An address of our own making, small enough to live on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBuffer {
    octets: [u8; ADDRESS_OCTETS_MAX],
    length: usize,
}

/// The fields of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// ANSI's coding.
    pub ansi: bool,
    /// Route on subsystem number.
    pub routes_on_ssn: bool,
    /// Point code.
    pub point_code: Option<PointCode>,
    /// Subsystem number.
    pub ssn: Option<u8>,
    /// Global title: indicator, translation type, numbering plan, nature of address, digits.
    pub title: Option<TitleFields>,
}

/// The fields of a global title; which of them are written is the indicator's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TitleFields {
    /// Which of the fields there are: 1 to 4.
    pub indicator: u8,
    /// Translation type.
    pub translation_type: u8,
    /// Numbering plan.
    pub plan: u8,
    /// Nature of address.
    pub nature: u8,
    /// The digits.
    pub digits: Digits,
}

impl AddressBuffer {
    /// The address with these fields.
    #[must_use]
    pub fn new(fields: &Fields) -> Self {
        let mut buffer = Self { octets: [0; ADDRESS_OCTETS_MAX], length: 0 };
        let title = fields.title;
        let (code_bit, ssn_bit) = if fields.ansi { (2, 1) } else { (1, 2) };
        let indicator = u8::from(fields.ansi) << 7
            | u8::from(fields.routes_on_ssn) << 6
            | title.map_or(0, |title| title.indicator) << 2
            | fields.point_code.map_or(0, |_| code_bit)
            | fields.ssn.map_or(0, |_| ssn_bit);
        buffer.push(indicator);
        let code = fields.point_code.unwrap_or_default().0.to_le_bytes();
        let code_octets = fields.point_code.map_or(0, |_| if fields.ansi { 3 } else { 2 });
        if let (Some(ssn), true) = (fields.ssn, fields.ansi) {
            buffer.push(ssn);
        }
        for octet in code.into_iter().take(code_octets) {
            buffer.push(octet);
        }
        if let (Some(ssn), false) = (fields.ssn, fields.ansi) {
            buffer.push(ssn);
        }
        if let Some(title) = title {
            buffer.title(&title, fields.ansi);
        }
        buffer
    }

    /// Its octets, without their length.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn title(&mut self, title: &TitleFields, ansi: bool) {
        let count = title.digits.len();
        let encoding = if count % 2 == 1 { 1 } else { 2 };
        match if ansi && title.indicator == 1 { 3 } else { title.indicator } {
            1 => self.push(title.nature | u8::from(count % 2 == 1) << 7),
            2 => self.push(title.translation_type),
            3 => {
                self.push(title.translation_type);
                self.push(title.plan << 4 | encoding);
            }
            _ => {
                self.push(title.translation_type);
                self.push(title.plan << 4 | encoding);
                self.push(title.nature);
            }
        }
        let mut ascii = [0; Digits::DIGITS_MAX];
        for pair in title.digits.write(&mut ascii).chunks(2) {
            let half = |place| pair.get(place).map_or(0, |digit: &u8| digit - b'0');
            self.push(half(0) | half(1) << 4);
        }
    }

    /// The longest address there can be fits: an indicator, a point code, a subsystem, three octets
    /// of a title and 19 digits.
    fn push(&mut self, octet: u8) {
        if let Some(slot) = self.octets.get_mut(self.length) {
            *slot = octet;
            self.length += 1;
        }
    }
}
