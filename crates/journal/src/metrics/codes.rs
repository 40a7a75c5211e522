//! The results worth a label of their own; every other code is `other`.
//!
//! A peer can send any number. Only those below are labels, so it cannot use up the label sets.

use procedure::Code;

/// Codes below this are labels in every stack: MAP user errors, GTP causes.
const SMALL: u32 = 256;

/// Result-Codes: the ranges in which the base protocol and its applications have theirs. Wider than
/// what is assigned, which does no harm: it is the bound that counts.
//= RFC 6733 §7.1
const BASE: [(u32, u32); 7] = [
    (1001, 1002),
    (2001, 2009),
    (3001, 3010),
    (4001, 4003),
    (4010, 4015),
    (5001, 5017),
    (5030, 5042),
];

/// Experimental-Result-Codes of 3GPP, likewise.
//= TS 29.230 §8.1
const EXPERIMENTAL: [(u32, u32); 8] = [
    (2001, 2025),
    (4100, 4108),
    (4121, 4144),
    (4181, 4205),
    (5001, 5012),
    (5030, 5109),
    (5400, 5461),
    (5510, 5560),
];

/// 3GPP's Vendor-Id.
const VENDOR_3GPP: u32 = 10_415;

/// The `kind` label and, if it is a known one, the code.
pub(super) fn class(code: Code) -> Option<(&'static str, Option<u32>)> {
    match code {
        Code::None => None,
        Code::Base(code) => Some(("base", is_known(&BASE, code).then_some(code))),
        Code::Experimental { vendor, code } => {
            let known = vendor == VENDOR_3GPP && is_known(&EXPERIMENTAL, code);
            Some(("experimental", known.then_some(code)))
        }
        Code::Error(code) => Some(("error", (code < SMALL).then_some(code))),
        Code::Reject(code) => Some(("reject", (code < 4 * 256).then_some(code))),
        Code::Abort(code) => Some(("abort", (code <= Code::USER_ABORT).then_some(code))),
        Code::Returned(code) => Some(("returned", (code < SMALL).then_some(code))),
    }
}

fn is_known(ranges: &[(u32, u32)], code: u32) -> bool {
    code < SMALL || ranges.iter().any(|(low, high)| (*low..=*high).contains(&code))
}
