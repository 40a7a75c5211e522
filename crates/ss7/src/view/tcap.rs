//! TCAP: transactions, their dialogue portion and their components, where they lie.

use procedure::Malformed;

use super::ber::{Element, Reader, integer, malformed};

/// Most components that are read of one message.
pub const COMPONENTS_MAX: usize = 32;

/// What a message does to its transaction.
//= Q.773 §3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Belongs to none.
    Unidirectional,
    /// Opens one.
    Begin,
    /// Closes one.
    End,
    /// Continues one.
    Continue,
    /// Closes one that has failed.
    Abort,
}

mod tag {
    pub(super) const UNIDIRECTIONAL: u32 = 0x61;
    pub(super) const BEGIN: u32 = 0x62;
    pub(super) const END: u32 = 0x64;
    pub(super) const CONTINUE: u32 = 0x65;
    pub(super) const ABORT: u32 = 0x67;
    pub(super) const OTID: u32 = 0x48;
    pub(super) const DTID: u32 = 0x49;
    pub(super) const P_ABORT: u32 = 0x4a;
    pub(super) const DIALOGUE: u32 = 0x6b;
    pub(super) const COMPONENTS: u32 = 0x6c;
    pub(super) const EXTERNAL: u32 = 0x28;
    pub(super) const OID: u32 = 0x06;
    pub(super) const SINGLE_ASN1: u32 = 0xa0;
    pub(super) const AARQ: u32 = 0x60;
    pub(super) const AARE: u32 = 0x61;
    pub(super) const ABRT: u32 = 0x64;
    pub(super) const CONTEXT_NAME: u32 = 0xa1;
    pub(super) const INVOKE: u32 = 0xa1;
    pub(super) const RESULT_LAST: u32 = 0xa2;
    pub(super) const ERROR: u32 = 0xa3;
    pub(super) const REJECT: u32 = 0xa4;
    pub(super) const RESULT_NOT_LAST: u32 = 0xa7;
    pub(super) const INTEGER: u32 = 0x02;
    pub(super) const NULL: u32 = 0x05;
    pub(super) const LINKED: u32 = 0x80;
    pub(super) const SEQUENCE: u32 = 0x30;
}

/// Number and version of a MAP application context.
//= TS 29.002 §17.3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// Its name as an object identifier, without tag and length.
    pub oid: &'a [u8],
}

impl Context<'_> {
    /// Number and version, where it is one of MAP's: {0 4 0 0 1 0 n v}.
    #[must_use]
    pub fn map(&self) -> Option<(u8, u8)> {
        match self.oid {
            [4, 0, 0, 1, 0, number, version] => Some((*number, *version)),
            _ => None,
        }
    }
}

/// What the dialogue portion says.
//= Q.773 §4.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue<'a> {
    /// Asks for an application context.
    Request(Context<'a>),
    /// Answers that.
    Response(Context<'a>),
    /// Ends it.
    Abort,
    /// Something else.
    Other,
}

/// A transaction's message.
//= Q.773 §3
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    /// What it does.
    pub kind: Kind,
    /// The sender's number for it.
    pub otid: Option<&'a [u8]>,
    /// The receiver's number for it.
    pub dtid: Option<&'a [u8]>,
    /// Why it was aborted, by the transaction sub-layer.
    pub p_abort: Option<u8>,
    /// Its dialogue portion.
    pub dialogue: Option<Dialogue<'a>>,
    components: &'a [u8],
    components_at: usize,
    /// Only its first segment is there.
    is_part: bool,
}

/// An operation or an error, as coded: a local number, or a global one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number<'a> {
    /// A local one.
    Local(i32),
    /// An object identifier.
    Global(&'a [u8]),
}

impl Number<'_> {
    /// The local number, where it is one that can be.
    #[must_use]
    pub fn local(self) -> Option<u32> {
        match self {
            Self::Local(number) => u32::try_from(number).ok(),
            Self::Global(_) => None,
        }
    }
}

/// A component.
//= Q.773 §3.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component<'a> {
    /// Asks for an operation.
    Invoke {
        /// Its number within the dialogue.
        id: i8,
        /// The invoke it belongs to.
        linked: Option<i8>,
        /// What is asked.
        operation: Number<'a>,
        /// The argument as an element.
        argument: Option<Element<'a>>,
    },
    /// Answers one.
    Result {
        /// The invoke's number.
        id: i8,
        /// Nothing more follows.
        last: bool,
        /// What it was, where the result says so.
        operation: Option<Number<'a>>,
        /// The result as an element.
        result: Option<Element<'a>>,
    },
    /// Refuses one.
    Error {
        /// The invoke's number.
        id: i8,
        /// Why.
        error: Number<'a>,
        /// More about it.
        parameter: Option<Element<'a>>,
    },
    /// Does not understand one.
    Reject {
        /// The invoke's number, where it could be read.
        id: Option<i8>,
        /// Which kind of problem, 0 general to 3 error.
        kind: u8,
        /// The problem.
        problem: u8,
    },
}

impl<'a> Transaction<'a> {
    /// Reads a whole message, which begins at `base` in its frame. Its components are checked too.
    ///
    /// # Errors
    /// It is no TCAP of ITU's, or something in it does not fit.
    #[inline]
    pub fn new(bytes: &'a [u8], base: usize) -> Result<Self, Malformed> {
        let transaction = Self::read(bytes, base, false)?;
        let mut components = transaction.components();
        while components.next()?.is_some() {}
        Ok(transaction)
    }

    /// Reads the first segment of a longer message, as far as it goes.
    ///
    /// # Errors
    /// Not even its transaction can be made out.
    pub fn part(bytes: &'a [u8], base: usize) -> Result<Self, Malformed> {
        Self::read(bytes, base, true)
    }

    fn read(bytes: &'a [u8], base: usize, is_part: bool) -> Result<Self, Malformed> {
        let next = |reader: &mut Reader<'a>| {
            if is_part { Ok(reader.next_or_part()) } else { reader.next() }
        };
        let missing = |field| malformed(field, base, "missing");
        let message =
            next(&mut Reader::new(bytes, base))?.ok_or_else(|| missing("Message Type"))?;
        let kind = match message.tag {
            tag::UNIDIRECTIONAL => Kind::Unidirectional,
            tag::BEGIN => Kind::Begin,
            tag::END => Kind::End,
            tag::CONTINUE => Kind::Continue,
            tag::ABORT => Kind::Abort,
            0xe1..=0xef => return Err(malformed("Message Type", base, "ANSI TCAP is not read")),
            _ => return Err(malformed("Message Type", base, "not a transaction's")),
        };
        let mut this = Self {
            kind,
            otid: None,
            dtid: None,
            p_abort: None,
            dialogue: None,
            components: &[],
            components_at: base,
            is_part,
        };
        let mut reader = Reader::inside(&message);
        while let Some(element) = next(&mut reader)? {
            match element.tag {
                tag::OTID => this.otid = Some(tid(&element)?),
                tag::DTID => this.dtid = Some(tid(&element)?),
                tag::P_ABORT => this.p_abort = element.value.first().copied(),
                tag::DIALOGUE => this.dialogue = Some(dialogue(&element, is_part)?),
                tag::COMPONENTS => {
                    (this.components, this.components_at) = (element.value, element.offset);
                }
                _ => {}
            }
        }
        let needs_otid = matches!(kind, Kind::Begin | Kind::Continue) && this.otid.is_none();
        let needs_dtid = matches!(kind, Kind::End | Kind::Continue | Kind::Abort);
        if needs_otid || needs_dtid && this.dtid.is_none() {
            return Err(missing("Transaction ID"));
        }
        Ok(this)
    }

    /// Its components in order.
    #[must_use]
    pub const fn components(&self) -> Components<'a> {
        let reader = Reader::new(self.components, self.components_at);
        Components { reader, taken: 0, is_part: self.is_part }
    }
}

fn tid<'a>(element: &Element<'a>) -> Result<&'a [u8], Malformed> {
    let fits = (1..=4).contains(&element.value.len());
    fits.then_some(element.value)
        .ok_or_else(|| malformed("Transaction ID", element.start, "not of 1 to 4 octets"))
}

fn dialogue<'a>(element: &Element<'a>, is_part: bool) -> Result<Dialogue<'a>, Malformed> {
    let read = || -> Result<Option<Dialogue<'a>>, Malformed> {
        let Some(external) = Reader::inside(element).take(tag::EXTERNAL)? else { return Ok(None) };
        let mut inside = Reader::inside(&external);
        let _syntax = inside.take(tag::OID)?;
        let Some(single) = inside.take(tag::SINGLE_ASN1)? else { return Ok(None) };
        let Some(pdu) = Reader::inside(&single).next()? else { return Ok(None) };
        if pdu.tag == tag::ABRT {
            return Ok(Some(Dialogue::Abort));
        }
        let mut fields = Reader::inside(&pdu);
        while let Some(field) = fields.next()? {
            if field.tag != tag::CONTEXT_NAME {
                continue;
            }
            let Some(name) = Reader::inside(&field).take(tag::OID)? else { break };
            let context = Context { oid: name.value };
            return Ok(match pdu.tag {
                tag::AARQ => Some(Dialogue::Request(context)),
                tag::AARE => Some(Dialogue::Response(context)),
                _ => None,
            });
        }
        Ok(None)
    };
    match read() {
        Err(_) if is_part => Ok(Dialogue::Other),
        found => Ok(found?.unwrap_or(Dialogue::Other)),
    }
}

/// Components one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Components<'a> {
    reader: Reader<'a>,
    taken: usize,
    is_part: bool,
}

impl<'a> Components<'a> {
    /// The next component; `None` at the end.
    ///
    /// # Errors
    /// It is none, or there are too many.
    #[allow(clippy::should_implement_trait, reason = "it may fail, and ends then")]
    pub fn next(&mut self) -> Result<Option<Component<'a>>, Malformed> {
        let element = if self.is_part { self.reader.next_or_part() } else { self.reader.next()? };
        let Some(element) = element else { return Ok(None) };
        self.taken += 1;
        if self.taken > COMPONENTS_MAX {
            return Err(malformed("Component", element.start, "too many"));
        }
        match component(&element, self.is_part) {
            Err(_) if self.is_part => Ok(None),
            found => found.map(Some),
        }
    }
}

fn component<'a>(element: &Element<'a>, is_part: bool) -> Result<Component<'a>, Malformed> {
    let mut fields = Reader::inside(element);
    let wrong = |why| malformed("Component", element.start, why);
    let id = fields.take(tag::INTEGER)?.map(|id| invoke_id(&id)).transpose()?;
    let needed = || id.ok_or_else(|| wrong("has no invoke id"));
    let rest = |fields: &mut Reader<'a>| {
        if is_part { Ok(fields.next_or_part()) } else { fields.next() }
    };
    match element.tag {
        tag::INVOKE => {
            let id = needed()?;
            let linked = fields.take(tag::LINKED)?.map(|id| invoke_id(&id)).transpose()?;
            let operation = number(&mut fields)?.ok_or_else(|| wrong("has no operation"))?;
            Ok(Component::Invoke { id, linked, operation, argument: rest(&mut fields)? })
        }
        tag::RESULT_LAST | tag::RESULT_NOT_LAST => {
            let (id, last) = (needed()?, element.tag == tag::RESULT_LAST);
            let (operation, result) = match fields.take(tag::SEQUENCE)? {
                Some(inside) => {
                    let mut inside = Reader::inside(&inside);
                    (number(&mut inside)?, inside.next()?)
                }
                None => (None, None),
            };
            Ok(Component::Result { id, last, operation, result })
        }
        tag::ERROR => {
            let id = needed()?;
            let error = number(&mut fields)?.ok_or_else(|| wrong("has no error code"))?;
            Ok(Component::Error { id, error, parameter: rest(&mut fields)? })
        }
        tag::REJECT => {
            let _not_derivable = fields.take(tag::NULL)?;
            let problem = fields.next()?.ok_or_else(|| wrong("has no problem"))?;
            let kind = (problem.tag & 0x1f) as u8;
            Ok(Component::Reject { id, kind, problem: problem.value.first().copied().unwrap_or(0) })
        }
        _ => Err(wrong("of no known kind")),
    }
}

fn invoke_id(element: &Element<'_>) -> Result<i8, Malformed> {
    integer(element.value)
        .and_then(|id| i8::try_from(id).ok())
        .ok_or_else(|| malformed("Invoke ID", element.start, "not of one octet"))
}

fn number<'a>(fields: &mut Reader<'a>) -> Result<Option<Number<'a>>, Malformed> {
    if let Some(local) = fields.take(tag::INTEGER)? {
        let number = integer(local.value);
        return number
            .map(|number| Some(Number::Local(number)))
            .ok_or_else(|| malformed("Operation Code", local.start, "too long"));
    }
    Ok(fields.take(tag::OID)?.map(|global| Number::Global(global.value)))
}

#[cfg(test)]
pub(crate) mod tests;
