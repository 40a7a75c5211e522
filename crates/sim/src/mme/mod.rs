//! Simulated MMEs as a source of load: every answer is checked against its request.

mod config;
mod lane;
mod run;
pub(crate) mod template;

pub use config::{Load, MmeConfig, Procedure};
pub use run::{Live, run};
