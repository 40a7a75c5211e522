//! The few M3UA messages that an ASP needs to carry data, written and read by hand.

/// SCTP's payload protocol identifier of M3UA. //= RFC 4666 §1.4.8
pub(crate) const PPID: u32 = 3;

/// Class and type of a message. //= RFC 4666 §3.1
pub(crate) type Kind = (u8, u8);
pub(crate) const DATA: Kind = (1, 1);
pub(crate) const ASPUP: Kind = (3, 1);
pub(crate) const ASPUP_ACK: Kind = (3, 4);
pub(crate) const ASPAC: Kind = (4, 1);
pub(crate) const ASPAC_ACK: Kind = (4, 3);

/// Routing Context, a tag. //= RFC 4666 §3.2
const CONTEXT: u16 = 0x0006;
/// Protocol Data, a tag.
const PROTOCOL_DATA: u16 = 0x0210;
/// Where a message's parameters begin.
const HEAD: usize = 8;
/// OPC, DPC, SI, NI, MP and SLS, before the user's octets. //= RFC 4666 §3.3.1
const LABEL: usize = 12;
/// Where SLS is in it.
const SLS: usize = 11;
/// SCCP and the national network.
const SERVICE: [u8; 4] = [3, 2, 0, 0];

/// What a DATA message's user part is about: where the octets are that make it different from
/// the one before.
#[derive(Debug)]
pub(crate) struct Template {
    message: Vec<u8>,
    transaction: Option<usize>,
    subscriber: Option<usize>,
}

/// What kind of message this is, and all behind its head.
pub(crate) fn read(message: &[u8]) -> Option<(Kind, &[u8])> {
    let [1, _, class, kind, rest @ ..] = message else { return None };
    Some(((*class, *kind), rest.get(4..)?))
}

/// A message with a routing context, or without.
pub(crate) fn write((class, kind): Kind, context: Option<u32>) -> Vec<u8> {
    let mut message = vec![1, 0, class, kind, 0, 0, 0, HEAD as u8];
    if let Some(context) = context {
        message.extend_from_slice(&CONTEXT.to_be_bytes());
        message.extend_from_slice(&8u16.to_be_bytes());
        message.extend_from_slice(&context.to_be_bytes());
        message[7] += 8;
    }
    message
}

/// The number and the SLS of a DATA message that [`Template::numbered`] made.
pub(crate) fn number(parameters: &[u8]) -> Option<(u32, u8)> {
    let mut rest = parameters;
    loop {
        let tag = u16::from_be_bytes(*rest.first_chunk()?);
        let length = u16::from_be_bytes(*rest.get(2..)?.first_chunk()?) as usize;
        let value = rest.get(4..length)?;
        if tag == PROTOCOL_DATA {
            let user = value.get(LABEL..)?;
            let at = transaction(user)?;
            return Some((u32::from_be_bytes(*user.get(at..)?.first_chunk()?), *value.get(SLS)?));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// Where TCAP's originating transaction identifier of four octets is.
fn transaction(user: &[u8]) -> Option<usize> {
    Some(user.windows(2).position(|tag| tag == [0x48, 4])? + 2)
}

impl Template {
    /// A DATA message from one point code to another, with these octets of SCCP.
    pub(crate) fn new(context: u32, opc: u32, dpc: u32, user: &[u8]) -> Self {
        let mut message = write(DATA, Some(context));
        let length = (4 + LABEL + user.len()) as u16;
        message.extend_from_slice(&PROTOCOL_DATA.to_be_bytes());
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&opc.to_be_bytes());
        message.extend_from_slice(&dpc.to_be_bytes());
        message.extend_from_slice(&SERVICE);
        let user_at = message.len();
        message.extend_from_slice(user);
        message.resize(message.len().next_multiple_of(4), 0);
        let whole = message.len() as u32;
        message[4..8].copy_from_slice(&whole.to_be_bytes());
        let transaction = transaction(user).map(|at| at + user_at);
        // The argument of updateLocation begins with an IMSI of fifteen digits.
        let imsi = user.windows(2).position(|tag| tag == [4, 8]).map(|at| at + 2);
        Self { message, transaction, subscriber: imsi.map(|at| at + user_at + 4) }
    }

    /// The message for this transaction and its subscriber (one of ten thousand).
    pub(crate) fn numbered(&mut self, number: u32, sls: u8) -> &[u8] {
        self.message[2 * HEAD + 4 + SLS] = sls;
        if let Some(at) = self.transaction {
            self.message[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        if let Some(at) = self.subscriber {
            let digits = |two: u32| (((two % 10) << 4) | (two / 10 % 10)) as u8;
            self.message[at] = digits(number / 100);
            self.message[at + 1] = digits(number);
        }
        &self.message
    }
}
