//! stub
use procedure::{Act, Code, Domain, Refusal};

/// 3GPP's Vendor-Id.
pub const TGPP: u32 = 10_415;

const fn experimental(code: u32) -> Code {
    Code::Experimental { vendor: TGPP, code }
}

/// The code that says `refusal` of `act` in `domain`, if the standards allow one.
//= TS 29.272 §5.2.1.1.2
//= TS 29.272 §5.2.3.1.2
#[must_use]
pub const fn legal(act: Act, domain: Domain, refusal: Refusal) -> Option<Code> {
    use Act::{Authenticate, Notify, Provision, Purge, Register};
    if matches!(domain, Domain::Cs) {
        return None;
    }
    Some(match (refusal, act) {
        (Refusal::RoamingNotAllowed, Register) => experimental(5004),
        (Refusal::RatNotAllowed, Register) => experimental(5421),
        (Refusal::UnknownSubscription, Register | Authenticate) => experimental(5420),
        (
            Refusal::UnknownSubscriber,
            Register | Authenticate | Purge | Provision | Notify,
        ) => experimental(5001),
        (
            Refusal::RoamingNotAllowed
            | Refusal::RatNotAllowed
            | Refusal::UnknownSubscription
            | Refusal::UnknownSubscriber,
            _,
        ) => return None,
        (Refusal::Unauthorised, _) => Code::Base(5003),
        (Refusal::Congestion, _) => Code::Base(3004),
        (Refusal::Unroutable, _) => Code::Base(3002),
        (Refusal::RealmNotServed, _) => Code::Base(3003),
        (Refusal::Loop, _) => Code::Base(3005),
        (Refusal::SystemFailure, _) => Code::Base(5012),
    })
}

/// The bare number of a code.
#[must_use]
pub const fn number(code: Code) -> u32 {
    match code {
        Code::None => 0,
        Code::Base(code) | Code::Experimental { code, .. } => code,
    }
}
