//! What was decided on one registration, and the record that steering learns from.

use procedure::{Code, Decision, Finish, Procedure, Provenance, Record, Time, WorkerId};

use super::tally::Verdict;
use super::traffic::End;

/// What becomes of it.
pub(crate) fn verdict(decision: &Decision) -> Verdict {
    use procedure::Verdict::{Delay, Discard, Forward, Refuse};
    match (decision.verdict, decision.provenance()) {
        (Forward { .. } | Delay { .. }, _) => Verdict::Served,
        (Refuse(_) | Discard, Provenance::Barring) => Verdict::Barred,
        (Refuse(_) | Discard, Provenance::Steering) => Verdict::Refused,
        (Refuse(_) | Discard, _) => Verdict::Screened,
    }
}

/// The record of a registration that was let through.
pub(crate) fn record(
    procedure: &Procedure<'_>,
    decision: &Decision,
    end: End,
    closed: Time,
) -> Record {
    let (finish, code, provenance) = match end {
        End::Accepted | End::Refused | End::Barred => {
            (Finish::Answered, Code::None, Provenance::None)
        }
        End::Home(code) => (Finish::Answered, code, Provenance::Relayed),
        End::Expired => (Finish::Expired, Code::None, Provenance::Expired),
        End::Else => (Finish::Refused, Code::None, Provenance::Unroutable),
    };
    Record {
        closed,
        sends: 1,
        finish,
        code,
        success: end == End::Accepted,
        provenance,
        frames: 2,
        ..Record::opening(procedure, decision, WorkerId(0))
    }
}
