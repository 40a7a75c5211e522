//! **answer**: what the gateway says in the place of a node that was asked.
//!
//! | asked | answered |
//! |---|---|
//! | Begin with an operation that may be refused | End, its application context accepted, ReturnError |
//! | Continue with one | End, ReturnError |
//! | an operation that has no error | Abort by the user |
//! | what cannot be read, but whose sender's number can | Abort by the transaction sub-layer |
//= TS 29.002 §7.6.1
//= Q.774 §3.2.1

pub mod errors;

use procedure::{Code, Refusal};

use crate::describe::map::Map;
use crate::describe::version;
use crate::view::tcap::{Dialogue, Kind, Transaction};

/// Causes of an abort by the transaction sub-layer.
//= Q.773 §3.1
#[allow(missing_docs, reason = "the standard's own names")]
pub mod p_abort {
    pub const UNRECOGNISED_TRANSACTION: u8 = 1;
    pub const BADLY_FORMATTED: u8 = 2;
    pub const INCORRECT: u8 = 3;
    pub const RESOURCE_LIMITATION: u8 = 4;
}

/// The dialogue PDUs' abstract syntax, as an element: {0 0 17 773 1 1 1}.
//= Q.773 §4.2.3
const DIALOGUE_AS: [u8; 9] = [0x06, 7, 0, 0x11, 0x86, 0x05, 1, 1, 1];

/// Appends our refusal of what a message asks, and says its code; nothing where the message has no
/// number to answer to.
pub fn refuse(
    transaction: &Transaction<'_>,
    asked: &Map<'_>,
    refusal: Refusal,
    out: &mut Vec<u8>,
) -> Code {
    let Some(to) = transaction.otid else { return Code::None };
    let Some(error) = asked.operation.and_then(|operation| errors::choose(operation, refusal))
    else {
        return user_abort(transaction, to, out);
    };
    // Later in a dialogue its version is no longer said; nothing that has a parameter is sent then.
    let version = version(transaction).or(asked.version);
    element(0x64, out, |out| {
        element(0x49, out, |out| out.extend_from_slice(to));
        if let (Kind::Begin, Some(Dialogue::Request(context))) =
            (transaction.kind, transaction.dialogue)
        {
            accepted(context.oid, out);
        }
        element(0x6c, out, |out| {
            element(0xa3, out, |out| {
                out.extend_from_slice(&[0x02, 1, asked.id.cast_unsigned()]);
                out.extend_from_slice(&[0x02, 1, error]);
                out.extend_from_slice(errors::parameter(error, version));
            });
        });
    });
    Code::Error(u32::from(error))
}

/// Appends an abort by the transaction sub-layer, to a message that can be answered.
pub fn abort(to: &[u8], cause: u8, out: &mut Vec<u8>) -> Code {
    element(0x67, out, |out| {
        element(0x49, out, |out| out.extend_from_slice(to));
        out.extend_from_slice(&[0x4a, 1, cause]);
    });
    Code::Abort(u32::from(cause))
}

/// A dialogue response that accepts the context that was asked for.
fn accepted(context: &[u8], out: &mut Vec<u8>) {
    dialogue(out, |out| {
        element(0x61, out, |out| {
            element(0xa1, out, |out| element(0x06, out, |out| out.extend_from_slice(context)));
            // Result: accepted. Diagnostic: from the user, null.
            out.extend_from_slice(&[0xa2, 3, 0x02, 1, 0, 0xa3, 5, 0xa1, 3, 0x02, 1, 0]);
        });
    });
}

fn user_abort(transaction: &Transaction<'_>, to: &[u8], out: &mut Vec<u8>) -> Code {
    element(0x67, out, |out| {
        element(0x49, out, |out| out.extend_from_slice(to));
        if transaction.dialogue.is_some() {
            // Source: the user.
            dialogue(out, |out| out.extend_from_slice(&[0x64, 3, 0x80, 1, 0]));
        }
    });
    Code::Abort(Code::USER_ABORT)
}

fn dialogue(out: &mut Vec<u8>, pdu: impl FnOnce(&mut Vec<u8>)) {
    element(0x6b, out, |out| {
        element(0x28, out, |out| {
            out.extend_from_slice(&DIALOGUE_AS);
            element(0xa0, out, pdu);
        });
    });
}

/// Appends an element; what it holds is shorter than 256 octets, as all that we originate is.
fn element(tag: u8, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0]);
    let start = out.len();
    value(out);
    let length = out.len() - start;
    if length > 0x7f {
        out.insert(start, length as u8);
    }
    if let Some(octet) = out.get_mut(start - 1) {
        *octet = if length > 0x7f { 0x81 } else { length as u8 };
    }
}

#[cfg(test)]
mod tests;
