//! The one schema of records: flat, versioned JSON Lines.
//!
//! One line is one exchange. A field that does not apply is left out, never `null`. Numbers are
//! whole numbers below 2^53. Fields may be added within a version; one that changes its meaning
//! or goes away makes a new version.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `v` | number | version of this schema: 1 |
//! | `opened_us` | number | when the opening message arrived, microseconds since 1970-01-01T00:00:00Z |
//! | `latency_us` | number | from there to the end of the exchange, microseconds |
//! | `stack` | string | protocol family: `diameter`, `ss7` |
//! | `worker` | number | worker thread that owned the exchange |
//! | `exchange` | string | the sender's identity for the exchange, 16 hexadecimal digits: repeats have the same |
//! | `from` | string | link the opening message came over |
//! | `to` | string | link it was last sent to |
//! | `sends` | number | how often it was sent on; above 1 after a failover |
//! | `application` | number | the stack's number of the application (Diameter Application-Id) |
//! | `application_name` | string | its name (`s6a`), where known |
//! | `operation` | number | the stack's number of the operation (Diameter Command-Code) |
//! | `operation_name` | string | its name (`ulr`), where known |
//! | `act` | string | `register`, `authenticate`, `deregister`, `purge`, `provision`, `recover`, `notify`, `locate-for-sms`, `deliver-sms`, `locate-for-call`, `query`, `supplementary`, `transit` |
//! | `domain` | string | `cs`, `ps`, `eps`; left out where not told |
//! | `access` | string | `2g`, `3g`, `4g`, `5g`; left out where not told |
//! | `repeat` | `true` | the sender marked the message as a possible repeat |
//! | `subscriber` | string | pseudonym of the IMSI: one block of AES-256 under the configured key, 32 hexadecimal digits |
//! | `imsi` | string | the IMSI in clear; only where `clear_identities` is set |
//! | `customer` | string | whose subscriber it was |
//! | `home` | string | home network: MCC and MNC, five or six digits |
//! | `home_country` | string | its country, ISO 3166 code |
//! | `visited` | string | visited network, written like `home` |
//! | `visited_country` | string | its country |
//! | `preferred` | boolean | whether the plan in force prefers the visited network; left out where no plan applied |
//! | `finish` | string | `answered`, `passed`, `refused`, `discarded`, `expired`, `stray`, `malformed` |
//! | `result` | number | result of the base protocol that the asker was told (Diameter Result-Code) |
//! | `experimental` | number | a vendor's result, instead of `result` (Diameter Experimental-Result-Code) |
//! | `vendor` | number | that vendor (10415 is 3GPP); always and only with `experimental` |
//! | `error` | number | the operation's own error, instead of `result` (MAP error code: 8 is roaming not allowed) |
//! | `reject` | number | the operation was rejected as such (TCAP problem: its kind times 256, plus the code) |
//! | `abort` | number | the dialogue was aborted (P-Abort cause; 65536 is a user's abort) |
//! | `returned` | number | the network gave the message back (SCCP return cause), or we refused a connection (refusal cause) |
//! | `success` | boolean | the result means success |
//! | `provenance` | string | where a refusal came from: `steering`, `barring`, `limit`, `screening`, `relayed`, `unroutable`, `expired`, `protocol`; left out where nothing was refused |
//! | `attempt` | number | number of the forced refusal on this network, from 1; left out outside steering |
//! | `exit` | string | why steering gave in: `attempts`, `total`, `time`, `no-preferred`, `not-reached`, `returns`, `preferred-down`, `preferred-failed`, `home-failing` |
//! | `because` | array | the rules that spoke, in order; left out where none did |
//! | `because[].stage` | string | `limit`, `screen`, `steer`, `route` |
//! | `because[].rule` | string | name of the rule |
//! | `because[].outcome` | string | `accept`, `refuse`, `would-refuse`, `preferred`, `settled`, `exit`, `replay`, `resend`, `override`, `barred`, `learned`, `to` |
//! | `because[].refusal` | string | with `refuse` and `would-refuse`: which (`roaming-not-allowed`) |
//! | `because[].exit` | string | with `exit`: why, as in `exit` |
//! | `because[].moved_pct` | number | with `learned`: of a hundred devices refused in this area so many turn up on a preferred network |
//! | `because[].group` | string | with `to`: the group of links |
//! | `frames` | number | messages that this record accounts for, where they are more than two |
//! | `request_octets` | number | size of the opening message |
//! | `answer_octets` | number | size of the answer that left; 0 when none did |
//! | `malformed_layer` | string | with `malformed`: the layer that could not be read (`diameter`) |
//! | `malformed_field` | string | the standard's name of the field |
//! | `malformed_offset` | number | where in the frame |
//! | `malformed_why` | string | what is wrong with it |

use std::io::Write as _;
use std::sync::Arc;

use procedure::{
    Access, Because, Code, Domain, Finish, Imsi, Malformed, Outcome, Plmn, Provenance, Record,
};

use crate::json;
use crate::{Key, Lexicon, Names};

/// Version of the schema, the field `v`.
pub const VERSION: u32 = 1;

/// Room made before a line is written; most lines need less than half of it.
const LINE_OCTETS: usize = 1536;

/// Writes records as lines.
pub struct Schema {
    epoch_us: u64,
    key: Key,
    clear_identities: bool,
    lexicon: Lexicon,
}

impl Schema {
    /// A schema for records whose `Time(0)` was `epoch_us` microseconds after 1970.
    #[must_use]
    pub fn new(epoch_us: u64, key: Key, clear_identities: bool, names: Arc<dyn Names>) -> Self {
        Self { epoch_us, key, clear_identities, lexicon: Lexicon::new(names) }
    }

    /// Appends one line, newline included.
    pub fn write(&mut self, record: &Record, out: &mut Vec<u8>) {
        out.reserve(LINE_OCTETS);
        self.exchange(record, out);
        self.operation(record, out);
        self.subscriber(record.imsi, out);
        self.parties(record, out);
        result(record, out);
        self.because(&record.because, out);
        if record.frames > 2 {
            json::field(out, ",\"frames\":", u64::from(record.frames));
        }
        json::field(out, ",\"request_octets\":", u64::from(record.request_octets));
        json::field(out, ",\"answer_octets\":", u64::from(record.answer_octets));
        if let Finish::Malformed(malformed) = &record.finish {
            complaint(malformed, out);
        }
        out.extend_from_slice(b"}\n");
    }

    fn exchange(&mut self, record: &Record, out: &mut Vec<u8>) {
        let opened_us = self.epoch_us.saturating_add(record.opened.0 / 1_000);
        let latency = record.closed.since(record.opened).as_micros();
        out.extend_from_slice(b"{\"v\":");
        json::number(out, u64::from(VERSION));
        json::field(out, ",\"opened_us\":", opened_us);
        json::field(out, ",\"latency_us\":", u64::try_from(latency).unwrap_or(u64::MAX));
        json::text(out, ",\"stack\":", self.lexicon.names().stack(record.stack));
        json::field(out, ",\"worker\":", u64::from(record.worker.0));
        json::hex(out, ",\"exchange\":", record.exchange.to_be_bytes());
        out.extend_from_slice(b",\"from\":");
        out.extend_from_slice(&self.lexicon.link(record.from).quoted);
        if let Some(to) = record.to {
            out.extend_from_slice(b",\"to\":");
            out.extend_from_slice(&self.lexicon.link(to).quoted);
        }
        json::field(out, ",\"sends\":", u64::from(record.sends));
    }

    fn operation(&self, record: &Record, out: &mut Vec<u8>) {
        let names = self.lexicon.names();
        let (application, operation) = names.operation(record.application, record.operation);
        json::field(out, ",\"application\":", u64::from(record.application));
        if let Some(name) = application {
            json::text(out, ",\"application_name\":", name);
        }
        json::field(out, ",\"operation\":", u64::from(record.operation));
        if let Some(name) = operation {
            json::text(out, ",\"operation_name\":", name);
        }
        json::word(out, ",\"act\":", record.act.name());
        if record.domain != Domain::Unknown {
            json::word(out, ",\"domain\":", record.domain.name());
        }
        if record.access != Access::Unknown {
            json::word(out, ",\"access\":", record.access.name());
        }
        if record.repeat {
            out.extend_from_slice(b",\"repeat\":true");
        }
    }

    fn subscriber(&self, imsi: Option<Imsi>, out: &mut Vec<u8>) {
        let Some(imsi) = imsi else { return };
        json::hex(out, ",\"subscriber\":", self.key.pseudonym(imsi));
        if self.clear_identities {
            json::bare(out, ",\"imsi\":", imsi.write(&mut [0; Imsi::DIGITS_MAX]));
        }
    }

    fn parties(&mut self, record: &Record, out: &mut Vec<u8>) {
        if let Some(customer) = record.customer {
            out.extend_from_slice(b",\"customer\":");
            out.extend_from_slice(&self.lexicon.symbol(customer).quoted);
        }
        self.network(record.home, ",\"home\":", ",\"home_country\":", out);
        self.network(record.visited, ",\"visited\":", ",\"visited_country\":", out);
        if let Some(preferred) = record.preferred {
            out.extend_from_slice(b",\"preferred\":");
            out.extend_from_slice(boolean(preferred));
        }
    }

    fn network(&self, plmn: Option<Plmn>, key: &str, country: &str, out: &mut Vec<u8>) {
        let Some(plmn) = plmn else { return };
        json::bare(out, key, plmn.write(&mut [0; 6]));
        if let Some(code) = self.lexicon.names().country(plmn) {
            json::text(out, country, &code);
        }
    }

    fn because(&mut self, because: &Because, out: &mut Vec<u8>) {
        let mut open = ",\"because\":[{\"stage\":";
        for reason in because.iter() {
            json::word(out, open, reason.stage.name());
            out.extend_from_slice(b",\"rule\":");
            out.extend_from_slice(&self.lexicon.symbol(reason.rule).quoted);
            json::word(out, ",\"outcome\":", reason.outcome.name());
            match reason.outcome {
                Outcome::Refuse(refusal) | Outcome::WouldRefuse(refusal) => {
                    json::word(out, ",\"refusal\":", refusal.name());
                }
                Outcome::Exit(exit) => json::word(out, ",\"exit\":", exit.name()),
                Outcome::To(group) => {
                    out.extend_from_slice(b",\"group\":");
                    out.extend_from_slice(&self.lexicon.symbol(group).quoted);
                }
                Outcome::Learned { moved_pct } => {
                    json::field(out, ",\"moved_pct\":", u64::from(moved_pct));
                }
                Outcome::Accept
                | Outcome::Preferred
                | Outcome::Settled
                | Outcome::Replay
                | Outcome::Resend
                | Outcome::Override
                | Outcome::Barred => {}
            }
            out.push(b'}');
            open = ",{\"stage\":";
        }
        if because.iter().next().is_some() {
            out.push(b']');
        }
    }
}

fn result(record: &Record, out: &mut Vec<u8>) {
    json::word(out, ",\"finish\":", record.finish.name());
    match record.code {
        Code::None => {}
        Code::Base(code) => json::field(out, ",\"result\":", u64::from(code)),
        Code::Experimental { vendor, code } => {
            json::field(out, ",\"experimental\":", u64::from(code));
            json::field(out, ",\"vendor\":", u64::from(vendor));
        }
        Code::Error(code) => json::field(out, ",\"error\":", u64::from(code)),
        Code::Reject(code) => json::field(out, ",\"reject\":", u64::from(code)),
        Code::Abort(code) => json::field(out, ",\"abort\":", u64::from(code)),
        Code::Returned(code) => json::field(out, ",\"returned\":", u64::from(code)),
    }
    out.extend_from_slice(b",\"success\":");
    out.extend_from_slice(boolean(record.success));
    if record.provenance != Provenance::None {
        json::word(out, ",\"provenance\":", record.provenance.name());
    }
    if record.attempt > 0 {
        json::field(out, ",\"attempt\":", u64::from(record.attempt));
    }
    if let Some(exit) = record.exit {
        json::word(out, ",\"exit\":", exit.name());
    }
}

fn complaint(malformed: &Malformed, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"malformed_layer\":\"");
    let start = out.len();
    // Writing to a vector does not fail; the layer's own name is the variant's.
    let _ = write!(out, "{:?}", malformed.layer);
    if let Some(layer) = out.get_mut(start..) {
        layer.make_ascii_lowercase();
    }
    out.push(b'"');
    json::text(out, ",\"malformed_field\":", malformed.field);
    json::field(out, ",\"malformed_offset\":", u64::from(malformed.offset));
    json::text(out, ",\"malformed_why\":", malformed.why);
}

const fn boolean(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}
