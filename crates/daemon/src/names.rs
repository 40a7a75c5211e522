//! Names for the numbers in records: what the journal asks the daemon.

use std::sync::Arc;

use procedure::{Plmn, StackId, Symbols, Vocabulary};

/// Everything the daemon knows by name.
pub(crate) struct DaemonNames {
    links: Vec<Arc<str>>,
    symbols: Symbols,
    stacks: Vec<&'static str>,
    vocabulary: Arc<dyn Vocabulary + Send + Sync>,
    /// By mobile country code.
    countries: Vec<Option<Arc<str>>>,
}

impl DaemonNames {
    pub(crate) fn new(
        links: Vec<Arc<str>>,
        stacks: Vec<&'static str>,
        vocabulary: Arc<dyn Vocabulary + Send + Sync>,
        engine: &policy::Engine,
    ) -> Self {
        let rules = engine.ruleset();
        let networks = rules.compiled().networks();
        let country = |mcc| networks.country_of_mcc(mcc).map(|country| country.as_str().into());
        let countries = (0..1000).map(country).collect();
        Self { links, symbols: engine.symbols().clone(), stacks, vocabulary, countries }
    }
}

impl journal::Names for DaemonNames {
    fn links(&self) -> Vec<Arc<str>> {
        self.links.clone()
    }

    fn symbols(&self) -> Vec<Arc<str>> {
        self.symbols.names()
    }

    fn stack(&self, stack: StackId) -> &str {
        self.stacks.get(usize::from(stack.0)).copied().unwrap_or("?")
    }

    fn operation(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        self.vocabulary.name(application, operation)
    }

    fn country(&self, plmn: Plmn) -> Option<Arc<str>> {
        self.countries.get(usize::from(plmn.mcc())).cloned().flatten()
    }
}
