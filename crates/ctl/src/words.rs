//! The stacks' vocabulary, and beside it the operation by which people know each act, for as long as
//! a stack does not say so itself.

use procedure::{Act, Domain, Refusal, Vocabulary};

/// What policies may name, over all stacks.
pub(crate) fn vocabulary() -> impl Vocabulary + Send + Sync + 'static {
    Usual(stacks::vocabulary())
}

struct Usual<V>(V);

const fn usual_name(act: Act) -> Option<&'static str> {
    Some(match act {
        Act::Register => "ulr",
        Act::Authenticate => "air",
        Act::Deregister => "clr",
        Act::Purge => "pur",
        Act::Provision => "idr",
        Act::Recover => "rsr",
        Act::Notify => "nor",
        Act::Transit => return None,
    })
}

impl<V: Vocabulary> Vocabulary for Usual<V> {
    fn usual(&self, act: Act, domain: Domain) -> Option<(u32, u32)> {
        let own = self.0.usual(act, domain);
        let by_name = || match domain {
            Domain::Cs => None,
            _ => usual_name(act).and_then(|name| self.0.operation(name)),
        };
        own.or_else(by_name)
    }

    fn application(&self, name: &str) -> Option<u32> {
        self.0.application(name)
    }

    fn operation(&self, name: &str) -> Option<(u32, u32)> {
        self.0.operation(name)
    }

    fn applications(&self) -> Vec<&'static str> {
        self.0.applications()
    }

    fn operations(&self) -> Vec<&'static str> {
        self.0.operations()
    }

    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal> {
        self.0.refusal(act, domain, code)
    }

    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool {
        self.0.is_legal(act, domain, refusal)
    }

    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)> {
        self.0.legal(act, domain)
    }

    fn name(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        self.0.name(application, operation)
    }
}
