//! Diameter.
pub mod answer;
mod vocabulary;
pub use vocabulary::DiameterVocabulary;
