//! The one list of stacks: nobody else names one.

use procedure::Vocabulary;

/// What policies may name, over all stacks.
#[must_use]
pub fn vocabulary() -> impl Vocabulary + Clone + Send + Sync + 'static {
    diameter::DiameterVocabulary
}
