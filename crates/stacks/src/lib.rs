//! The one list of stacks: nobody else names one.

use std::sync::Arc;

use procedure::Vocabulary;
use relay::{Admission, AnyStack};

pub use diameter;

/// What every stack is configured with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Diameter.
    pub diameter: diameter::Config,
}

/// The stacks of one configuration, from which each worker takes its own list.
#[derive(Clone, Debug)]
pub struct Stacks {
    diameter: diameter::Diameter,
}

impl Stacks {
    /// The stacks of this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { diameter: diameter::Diameter::new(config.diameter) }
    }

    /// One worker's list; a stack's place in it is its `StackId`, the same on every worker.
    #[must_use]
    pub fn list(&self) -> Vec<Box<dyn AnyStack>> {
        vec![Box::new(self.diameter.clone())]
    }

    /// The stacks' doorkeepers, in the order of [`Stacks::list`].
    #[must_use]
    pub fn admissions(&self) -> Vec<Arc<dyn Admission>> {
        vec![self.diameter.admission()]
    }
}

/// The stacks' names, in the order of [`Stacks::list`].
pub const NAMES: [&str; 1] = [<diameter::Diameter as relay::Stack>::NAME];

/// What policies may name, over all stacks.
#[must_use]
pub fn vocabulary() -> impl Vocabulary + Clone + Send + Sync + 'static {
    diameter::DiameterVocabulary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_stack_is_named_and_guarded() {
        let diameter = diameter::Config::new("gw.ipx.lab", "ipx.lab");
        let stacks = Stacks::new(Config { diameter });
        let names: Vec<_> = stacks.list().iter().map(|stack| stack.name()).collect();
        assert_eq!(names, NAMES);
        assert_eq!(stacks.admissions().len(), NAMES.len());
        assert_eq!(vocabulary().operation("ulr"), Some((16_777_251, 316)));
    }
}
