//! TCAP messages of MAP dialogues in SCCP unitdata: built and read by the published codecs.

use rasn::types::{Any, ObjectIdentifier};
use sccp::{ExtendedUnitData, SccpAddress, SccpMessage, UnitData};
use tcap::{
    Abort, AbortReason, AssociateResult, AssociateSourceDiagnostic, Begin, Component, Continue,
    DialoguePdu, DialoguePortion, End, ErrorCode, Invoke, OperationCode, PAbortCause, ReturnError,
    ReturnResult, ReturnResultValue, TcapMessage,
};

use super::map::{Context, Operation};

/// Octets of TCAP above which SCCP needs segments, which nothing played here does.
//= Q.713 §4.10
pub const UNITDATA_OCTETS_MAX: usize = 254;

/// A transaction identifier as the other end wrote it, one to four octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Tid {
    octets: [u8; 4],
    length: u8,
}

impl Tid {
    /// An identifier of four octets.
    #[must_use]
    pub fn of(number: u32) -> Self {
        Self { octets: number.to_be_bytes(), length: 4 }
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let mut tid = Self { octets: [0; 4], length: u8::try_from(octets.len()).ok()? };
        tid.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(tid)
    }

    /// Its number, if it has the four octets that ours have.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        (self.length == 4).then(|| u32::from_be_bytes(self.octets))
    }

    fn bytes(self) -> Vec<u8> {
        self.octets.iter().take(usize::from(self.length)).copied().collect()
    }
}

/// What a message does with its dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Opens it.
    Begin,
    /// Goes on.
    Continue,
    /// Ends it.
    End,
    /// Ends it badly: a P-Abort's cause, or 255 for the user's.
    Abort(u8),
}

/// What the dialogue portion says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue {
    /// There is none.
    Absent,
    /// AARQ.
    Request(Context),
    /// AARE, accepted.
    Accepted(Context),
    /// AARE, refused; or ABRT.
    Refused,
    /// Something else, or a context that is no MAP context.
    Other,
}

/// The first component of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// There is none.
    None,
    /// An operation is asked.
    Invoke {
        /// Invoke ID.
        id: i8,
        /// Operation code; -1 for a global one.
        operation: i64,
        /// The argument.
        parameter: Option<Vec<u8>>,
    },
    /// It succeeded.
    Result {
        /// Invoke ID.
        id: i8,
        /// Operation code; `None` when the result is empty.
        operation: Option<i64>,
        /// The result.
        parameter: Option<Vec<u8>>,
    },
    /// It failed.
    Error {
        /// Invoke ID.
        id: i8,
        /// Error code; 255 for a global one.
        error: u8,
        /// The error's parameter.
        parameter: Option<Vec<u8>>,
    },
    /// It was not understood.
    Reject,
}

/// One message, as it is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it does.
    pub kind: Kind,
    /// The sender's identifier (Begin, Continue).
    pub otid: Option<Tid>,
    /// The receiver's identifier (all but Begin).
    pub dtid: Option<Tid>,
    /// The dialogue portion.
    pub dialogue: Dialogue,
    /// The first component.
    pub part: Part,
    /// How many components there are.
    pub parts: usize,
}

/// SCCP unitdata, or such a message that came back.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Called party.
    pub called: SccpAddress,
    /// Calling party.
    pub calling: SccpAddress,
    /// The TCAP message.
    pub data: Vec<u8>,
    /// In a service message the return cause: `data` is our own, `calling` is us.
    pub returned: Option<u8>,
}

impl Unit {
    /// Reads a unitdata message of any form; `None` when it is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (returned, (called, calling, data)) = match SccpMessage::decode(bytes).ok()? {
            SccpMessage::Udt(m) => (None, (m.called_party, m.calling_party, m.data)),
            SccpMessage::Xudt(m) => (None, (m.called_party, m.calling_party, m.data)),
            SccpMessage::Ludt(m) => (None, (m.called_party, m.calling_party, m.data)),
            // The return cause is the second octet of all three.
            //= Q.713 §4.11, §4.19, §4.21
            SccpMessage::Udts(m) => (bytes.get(1), (m.called_party, m.calling_party, m.data)),
            SccpMessage::Xudts(m) => (bytes.get(1), (m.called_party, m.calling_party, m.data)),
            SccpMessage::Ludts(m) => (bytes.get(1), (m.called_party, m.calling_party, m.data)),
        };
        Some(Self { called, calling, data, returned: returned.copied() })
    }

    /// Writes it as UDT or XUDT, with return on error, in sequence (class 1) where asked for.
    ///
    //= Q.713 §3.6
    // Return option 8 in the high half, class in the low half.
    #[must_use]
    pub fn write(self, extended: bool, in_sequence: bool) -> Vec<u8> {
        let class = u8::from(in_sequence);
        if extended {
            let mut message = ExtendedUnitData::new(self.called, self.calling, self.data);
            (message.protocol_class, message.message_handling) = (class, 8);
            message.encode().unwrap_or_default()
        } else {
            let mut message = UnitData::new(self.called, self.calling, self.data);
            (message.protocol_class, message.message_handling) = (class, 8);
            message.encode().unwrap_or_default()
        }
    }
}

/// Arcs of MAP's application contexts: {itu-t identified-organization etsi mobileDomain
/// gsm-Network ac-Id}, then number and version.
//= TS 29.002 §17.3.3
const CONTEXTS: [u32; 6] = [0, 4, 0, 0, 1, 0];

fn oid(context: Context) -> ObjectIdentifier {
    gsm_map::application_context::map_ac(context.number.into(), context.version.into())
}

fn context(oid: &[u32]) -> Option<Context> {
    let (number, version) = match oid.strip_prefix(&CONTEXTS)? {
        [number, version] => (u8::try_from(*number).ok()?, u8::try_from(*version).ok()?),
        _ => return None,
    };
    Some(Context { number, version })
}

fn dialogue(portion: Option<&DialoguePortion>) -> Dialogue {
    let Some(portion) = portion else { return Dialogue::Absent };
    let (oid, make): (_, fn(Context) -> Dialogue) = match portion.dialogue_pdu() {
        Ok(Some(DialoguePdu::Aarq { application_context_name, .. })) => {
            (application_context_name, Dialogue::Request)
        }
        Ok(Some(DialoguePdu::Aare {
            application_context_name,
            result: AssociateResult::Accepted,
            ..
        })) => (application_context_name, Dialogue::Accepted),
        Ok(Some(DialoguePdu::Aare { .. } | DialoguePdu::Abrt { .. })) => return Dialogue::Refused,
        _ => return Dialogue::Other,
    };
    context(&oid).map_or(Dialogue::Other, make)
}

fn operation(code: &OperationCode) -> i64 {
    match code {
        OperationCode::Local(code) => *code,
        OperationCode::Global(_) => -1,
    }
}

fn part(component: &Component) -> Part {
    let octets = |any: &Option<Any>| any.as_ref().map(|a| a.as_bytes().to_vec());
    match component {
        Component::Invoke(i) => Part::Invoke {
            id: i.invoke_id,
            operation: operation(&i.operation_code),
            parameter: octets(&i.parameter),
        },
        Component::ReturnResultLast(r) | Component::ReturnResultNotLast(r) => Part::Result {
            id: r.invoke_id,
            operation: r.result.as_ref().map(|v| operation(&v.operation_code)),
            parameter: r.result.as_ref().and_then(|v| octets(&v.parameter)),
        },
        Component::ReturnError(e) => Part::Error {
            id: e.invoke_id,
            error: match &e.error_code {
                ErrorCode::Local(code) => u8::try_from(*code).unwrap_or(255),
                ErrorCode::Global(_) => 255,
            },
            parameter: octets(&e.parameter),
        },
        Component::Reject(_) => Part::Reject,
    }
}

/// Reads a TCAP message; `None` when any of it is not valid.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Reading> {
    let message = tcap::decode(bytes).ok()?;
    let kind = match &message {
        TcapMessage::Begin(_) => Kind::Begin,
        TcapMessage::Continue(_) => Kind::Continue,
        TcapMessage::End(_) => Kind::End,
        TcapMessage::Abort(abort) => Kind::Abort(match &abort.reason {
            Some(AbortReason::PAbort(cause)) => u8::try_from(cause.value()).unwrap_or(254),
            _ => 255,
        }),
        TcapMessage::Unidirectional(_) => return None,
    };
    let parts = message.components();
    Some(Reading {
        kind,
        otid: message.otid().and_then(|t| Tid::read(t)),
        dtid: message.dtid().and_then(|t| Tid::read(t)),
        dialogue: dialogue(message.dialogue_portion()),
        part: parts.first().map_or(Part::None, part),
        parts: parts.len(),
    })
}

/// Invoke ID of whatever opens a dialogue, and of the insertSubscriberData inside.
pub const INVOKE_ID: i8 = 1;

fn any(bytes: Vec<u8>) -> Any {
    Any::new(bytes)
}

/// An Invoke.
#[must_use]
pub fn invoke(operation: Operation, argument: Vec<u8>) -> Component {
    Component::Invoke(Invoke {
        invoke_id: INVOKE_ID,
        linked_id: None,
        operation_code: OperationCode::Local(operation.code()),
        parameter: Some(any(argument)),
    })
}

/// A ReturnResultLast; without `result` it carries no operation code either.
#[must_use]
pub fn success(id: i8, operation: Operation, result: Option<Vec<u8>>) -> Component {
    let result = result.map(|bytes| ReturnResultValue {
        operation_code: OperationCode::Local(operation.code()),
        parameter: Some(any(bytes)),
    });
    Component::ReturnResultLast(ReturnResult { invoke_id: id, result })
}

/// A ReturnError.
#[must_use]
pub fn failure(id: i8, error: u8, parameter: Option<Vec<u8>>) -> Component {
    Component::ReturnError(ReturnError {
        invoke_id: id,
        error_code: ErrorCode::Local(error.into()),
        parameter: parameter.map(any),
    })
}

fn finish(message: &TcapMessage) -> Vec<u8> {
    tcap::encode(message).unwrap_or_default()
}

/// A Begin; version 1 has no `context`.
#[must_use]
pub fn begin(otid: Tid, context: Option<Context>, component: Component) -> Vec<u8> {
    finish(&TcapMessage::Begin(Begin {
        otid: otid.bytes().into(),
        dialogue_portion: context.map(|c| DialoguePortion::aarq(&oid(c))),
        components: Some(vec![component]),
    }))
}

/// A Continue; `accepted` stands in the first one backwards only.
#[must_use]
pub fn proceed(otid: Tid, dtid: Tid, accepted: Option<Context>, component: Component) -> Vec<u8> {
    finish(&TcapMessage::Continue(Continue {
        otid: otid.bytes().into(),
        dtid: dtid.bytes().into(),
        dialogue_portion: accepted.map(|c| DialoguePortion::aare_accept(&oid(c))),
        components: Some(vec![component]),
    }))
}

/// An End; `accepted` when it is the first message backwards.
#[must_use]
pub fn end(dtid: Tid, accepted: Option<Context>, component: Component) -> Vec<u8> {
    finish(&TcapMessage::End(End {
        dtid: dtid.bytes().into(),
        dialogue_portion: accepted.map(|c| DialoguePortion::aare_accept(&oid(c))),
        components: Some(vec![component]),
    }))
}

/// The answer to a message of a dialogue that is not known.
//= Q.774 §3.3.4.2
#[must_use]
pub fn unknown_dialogue(dtid: Tid) -> Vec<u8> {
    let dtid = dtid.bytes().into();
    finish(&TcapMessage::Abort(Abort::p_abort(dtid, PAbortCause::UNRECOGNIZED_TRANSACTION_ID)))
}

/// The refusal of a dialogue whose application context is not supported.
//= Q.774 §3.2.1.2
#[must_use]
pub fn unsupported(dtid: Tid, context: Context) -> Vec<u8> {
    let why = AssociateSourceDiagnostic::USER_APPLICATION_CONTEXT_NAME_NOT_SUPPORTED;
    let portion = DialoguePortion::aare_reject(&oid(context), why);
    finish(&TcapMessage::Abort(Abort::u_abort(dtid.bytes().into(), Some(portion))))
}
