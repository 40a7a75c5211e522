//! The one list of stacks: nobody else names one.

mod words;

use std::sync::Arc;

use procedure::Vocabulary;
use relay::{Admission, AnyStack};

pub use diameter;
pub use ss7;

/// What every stack is configured with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Diameter.
    pub diameter: diameter::Config,
    /// SS7; `None` where there is none.
    pub ss7: Option<ss7::config::Config>,
    /// Keys the hashes of what peers say.
    pub secret: u64,
}

/// The stacks of one configuration, from which each worker takes its own list.
#[derive(Clone, Debug)]
pub struct Stacks {
    diameter: diameter::Diameter,
    ss7: Option<ss7::Ss7>,
}

impl Stacks {
    /// The stacks of this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let Config { diameter, ss7, secret } = config;
        let ss7 = ss7.map(|ss7| ss7::Ss7::new(ss7, secret));
        Self { diameter: diameter::Diameter::new(diameter), ss7 }
    }

    /// One worker's list; a stack's place in it is its `StackId`, the same on every worker.
    #[must_use]
    pub fn list(&self) -> Vec<Box<dyn AnyStack>> {
        let mut list: Vec<Box<dyn AnyStack>> = vec![Box::new(self.diameter.clone())];
        if let Some(ss7) = &self.ss7 {
            list.push(Box::new(ss7.clone()));
        }
        list
    }

    /// The stacks' doorkeepers, in the order of [`Stacks::list`].
    #[must_use]
    pub fn admissions(&self) -> Vec<Arc<dyn Admission>> {
        let own = std::iter::once(self.diameter.admission());
        own.chain(self.ss7.as_ref().map(ss7::Ss7::admission)).collect()
    }

    /// Puts other global-title translations in force.
    pub fn set_titles(&self, table: ss7::translate::Table) {
        if let Some(ss7) = &self.ss7 {
            ss7.set_table(table);
        }
    }
}

/// The stacks' names, in the order of [`Stacks::list`].
pub const NAMES: [&str; 2] =
    [<diameter::Diameter as relay::Stack>::NAME, <ss7::Ss7 as relay::Stack>::NAME];

/// What policies may name, over all stacks.
#[must_use]
pub fn vocabulary() -> impl Vocabulary + Clone + Send + Sync + 'static {
    words::Both(diameter::DiameterVocabulary, ss7::vocabulary::MapVocabulary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_stack_is_named_and_guarded() {
        let diameter = diameter::Config::new("gw.ipx.lab", "ipx.lab");
        let stacks = Stacks::new(Config { diameter, ss7: None, secret: 1 });
        let names: Vec<_> = stacks.list().iter().map(|stack| stack.name()).collect();
        assert_eq!(names, NAMES[..1]);
        assert_eq!(stacks.admissions().len(), 1);
    }

    #[test]
    fn no_word_means_two_things() {
        let words = vocabulary();
        assert_eq!(words.operation("ulr"), Some((16_777_251, 316)));
        let (application, operation) = words.operation("ul").expect("MAP's");
        assert_eq!(words.name(application, operation), (Some("map-networklocup"), Some("ul")));
        for names in [words.operations(), words.applications()] {
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), names.len());
        }
    }
}
