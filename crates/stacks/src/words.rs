//! What policies may name, over all stacks.

use procedure::{Act, Domain, Refusal, Vocabulary};

/// The words of one stack, then those of the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Both<A, B>(pub(crate) A, pub(crate) B);

impl<A: Vocabulary, B: Vocabulary> Vocabulary for Both<A, B> {
    fn application(&self, name: &str) -> Option<u32> {
        self.0.application(name).or_else(|| self.1.application(name))
    }

    fn operation(&self, name: &str) -> Option<(u32, u32)> {
        self.0.operation(name).or_else(|| self.1.operation(name))
    }

    fn applications(&self) -> Vec<&'static str> {
        [self.0.applications(), self.1.applications()].concat()
    }

    fn operations(&self) -> Vec<&'static str> {
        [self.0.operations(), self.1.operations()].concat()
    }

    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal> {
        self.0.refusal(act, domain, code).or_else(|| self.1.refusal(act, domain, code))
    }

    /// What one of them allows may be asked for; the other says what it has for it.
    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool {
        self.0.is_legal(act, domain, refusal) || self.1.is_legal(act, domain, refusal)
    }

    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)> {
        [self.0.legal(act, domain), self.1.legal(act, domain)].concat()
    }

    fn name(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        match self.0.name(application, operation) {
            (None, None) => self.1.name(application, operation),
            found => found,
        }
    }

    fn usual(&self, act: Act, domain: Domain) -> Option<(u32, u32)> {
        self.0.usual(act, domain).or_else(|| self.1.usual(act, domain))
    }
}
