//! What shall happen to a procedure: rules from files, compiled whole, and the memory they decide
//! from. No protocol, no clock, no file and no socket: texts and times are arguments.
//!
//! ```text
//! sources ▷ compile ─▷ Compiled ─┐            limit ▷ screen ▷ steer ▷ route   (pipeline.rs)
//!   every mistake at once        ├▷ Ruleset ▷ decide(procedure) ▷ Decision
//!                      Memory ───┘            learn(record), explain(procedure)
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `pipeline` | in which order do stages speak |
//! | `screen`, `steer/`, `route` | what does a stage say; `limit` comes with issue 5 |
//! | `matcher` | does a rule match; shared by every stage |
//! | `networks`, `titles`, `customers` | whose network, which country, whose subscriber |
//! | `document`, `diagnostic`, `reading` | what stands in a file, and what is wrong with it |
//! | `compile`, `cases` | from files to rules |
//! | `engine` | which rules are in force |
//! | `probe`, `explain`, `words` | what would happen, and why |

mod cases;
mod compile;
mod customers;
mod diagnostic;
mod document;
mod engine;
mod explain;
mod hash;
mod matcher;
mod networks;
mod outline;
mod pipeline;
mod probe;
mod reading;
mod route;
mod screen;
mod steer;
mod titles;
mod words;

pub use cases::CaseReport;
pub use compile::{Compiled, Context, Counts, MEMORY_FULL, compile};
pub use customers::Prefix;
pub use diagnostic::{Diagnostic, Severity, Source, nearest};
pub use document::{At, Complaints, Document, Section};
pub use engine::{Engine, ReloadReport, Ruleset, Setup};
pub use explain::{Check, Explanation, Place, RuleTrace, Said, StageTrace};
pub use networks::{
    COUNTRY_EXPECTED, Country, Network, Networks, PLMN_EXPECTED, REALM_EXPECTED, realm,
    standard_realm,
};
pub use outline::{CustomerOutline, PlanOutline, TierOutline};
pub use probe::Probe;
pub use reading::Mode;
pub use screen::{ORIGIN_OWNS_SUBSCRIBER, ORIGIN_SPEAKS_FOR_VISITED};
pub use steer::calendar::{civil, moment};
pub use steer::episode::{NETWORKS_MAX, RECENTS_MAX, REFUSALS_MAX};
pub use steer::memory::{Memory, MemoryUse, SHARDS, SUBSCRIBERS_MAX};
pub use steer::plan::PREFERRED_MAX;
pub use steer::read::{
    CAME_FROM_WITHIN_S, COALESCE_MS, EPISODE_REFUSALS, EPISODE_REFUSALS_MAX, EPISODE_S,
    EPISODE_S_MAX, HOLD_S, HOLD_S_MAX, HOLD_S_MIN, PROBE_PCT, RESEND_MS, SHARE_DRIFT_PCT,
    TIER_REFUSALS,
};
pub use steer::restore::{Past, PastEnd};
