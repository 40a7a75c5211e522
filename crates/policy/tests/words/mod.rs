//! A vocabulary for tests: as small as one can be, so that policy is tested without any stack.

use procedure::{Act, Domain, Refusal, Vocabulary};

/// One application with two operations; three legal refusals of a registration over EPS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words;

const OPERATIONS: [(&str, (u32, u32)); 3] =
    [("ulr", (16_777_251, 316)), ("clr", (16_777_251, 317)), ("air", (16_777_251, 318))];

impl Vocabulary for Words {
    fn application(&self, name: &str) -> Option<u32> {
        (name == "s6a").then_some(16_777_251)
    }

    fn operation(&self, name: &str) -> Option<(u32, u32)> {
        OPERATIONS.iter().find(|(known, _)| *known == name).map(|(_, numbers)| *numbers)
    }

    fn applications(&self) -> Vec<&'static str> {
        vec!["s6a"]
    }

    fn operations(&self) -> Vec<&'static str> {
        OPERATIONS.iter().map(|(name, _)| *name).collect()
    }

    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal> {
        self.legal(act, domain).into_iter().find(|(known, _)| *known == code).map(|(_, no)| no)
    }

    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool {
        self.legal(act, domain).iter().any(|(_, known)| *known == refusal)
    }

    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)> {
        match (act, domain) {
            (Act::Register, Domain::Eps | Domain::Ps) => vec![
                (5004, Refusal::RoamingNotAllowed),
                (5420, Refusal::UnknownSubscription),
                (5421, Refusal::RatNotAllowed),
            ],
            (Act::Register, Domain::Cs) => vec![(8, Refusal::RoamingNotAllowed)],
            _ => Vec::new(),
        }
    }

    fn name(&self, _: u32, operation: u32) -> (Option<&'static str>, Option<&'static str>) {
        let found = OPERATIONS.iter().find(|(_, (_, known))| *known == operation);
        (Some("s6a"), found.map(|(name, _)| *name))
    }

    fn usual(&self, act: Act, _: Domain) -> Option<(u32, u32)> {
        match act {
            Act::Register => self.operation("ulr"),
            Act::Authenticate => self.operation("air"),
            Act::Deregister => self.operation("clr"),
            _ => None,
        }
    }
}
