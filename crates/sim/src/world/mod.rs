//! A simulated world to judge steering in: the real gateway value in virtual time, and around it
//! subscribers, handsets and networks that behave as the standards say.
//!
//! ```text
//! scenario ▷ ground ─┬▷ handset ▷ asks ▷ plane (visited nodes ▷ gateway ▷ homes) ▷ heard ▷ handset
//!  reading    plans ─┘      └▷ news ▷ checkers, figures                └▷ records ▷ ledger
//! ```
//!
//! Only this room of the simulator knows the gateway, and it too only as a whole: what it says to
//! the gateway and what it reads from it goes through the simulator's own codecs. Time is virtual,
//! everything random comes from one seed, so a run can be repeated to the octet.

mod calendar;
mod checkers;
mod compare;
mod figures;
mod ground;
mod handset;
mod ledger;
mod live;
mod map;
mod picture;
mod plane;
mod plans;
mod reading;
mod run;
mod s6a;
mod said;
mod scenario;
mod shipped;

/// How a file is given in, and what is wrong with it.
pub use policy::{Diagnostic, Source, nearest};

pub use checkers::{Checker, Failure};
pub use compare::{missed, table};
pub use figures::{Figures, Point, Spread};
pub use live::{LIVE_MINUTES_MAX, LIVE_SUBSCRIBERS_MAX, Live};
pub use picture::picture;
pub use plans::{Style, style};
pub use reading::read;
pub use run::{Faults, Order, Progress, Trouble, check, run};
pub use scenario::{
    AREAS_MAX, Access, Area, Behaviour, CLASSES_MAX, Cause, Class, Customer, MINUTES_MAX,
    NETWORKS_MAX, NODES_MAX, Network, Outage, PowerCut, SUBSCRIBERS_MAX, Scenario, Target,
};
pub use shipped::{SCENARIOS, STYLES, shipped};
