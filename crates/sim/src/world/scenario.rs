//! What stands in a scenario file, checked and typed: a world in which steering is judged.

use policy::Source;
use procedure::Plmn;

use super::calendar::seconds;

/// Most areas of a scenario.
pub const AREAS_MAX: usize = 16;
/// Most networks of a scenario.
pub const NETWORKS_MAX: usize = 16;
/// Most nodes: a network has one for each area that it covers.
pub const NODES_MAX: usize = 64;
/// Most device classes.
pub const CLASSES_MAX: usize = 32;
/// Most subscribers: an identifier on the wire has 24 bits for them.
pub const SUBSCRIBERS_MAX: u64 = 1 << 24;
/// Longest run, in minutes of virtual time.
pub const MINUTES_MAX: u64 = 240;

/// A whole scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub seconds: u32,
    /// How many subscribers, all classes together.
    pub subscribers: u32,
    /// Refusals may keep nobody from service for longer.
    pub service_limit_s: u32,
    /// Areas, with their shares of the arrivals.
    pub areas: Vec<Area>,
    /// Visited and home networks.
    pub networks: Vec<Network>,
    /// Home operators.
    pub customers: Vec<Customer>,
    /// Kinds of devices.
    pub classes: Vec<Class>,
    /// What befalls everybody somewhere.
    pub cuts: Vec<PowerCut>,
    /// How a customer wants its subscribers shared among networks.
    pub targets: Vec<Target>,
    /// The file, with its plans.
    pub source: Source,
}

/// A place in which the same nodes serve everybody.
#[derive(Clone, Debug)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its share of the arrivals, as a weight.
    pub share: u32,
}

/// An operator's radio network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its code.
    pub plmn: Plmn,
    /// Its name.
    pub name: String,
    /// Bit n: it covers the nth area.
    pub areas: u16,
    /// How well handsets hear it, from 0 to 100, on the average …
    pub signal: u32,
    /// … and how far that scatters.
    pub spread: u32,
    /// Where it has 4G, and where 2G and 3G.
    pub access: Access,
    /// How it words "roaming not allowed" to the handset …
    pub cause: Cause,
    /// … and "this radio access is not allowed".
    pub cause_rat: Cause,
    /// So often it sends a refused registration again itself before it tells the handset, …
    pub resends: u32,
    /// … each time after so long.
    pub resend_ms: u32,
    /// When it is not there.
    pub outages: Vec<Outage>,
}

/// Which radio there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// 4G alone.
    FourG,
    /// 2G and 3G alone.
    TwoG,
    /// Both.
    Both,
}

impl Access {
    /// Whether 4G is among it.
    #[must_use]
    pub const fn has_4g(self) -> bool {
        matches!(self, Self::FourG | Self::Both)
    }

    /// Whether 2G and 3G are among it.
    #[must_use]
    pub const fn has_2g(self) -> bool {
        matches!(self, Self::TwoG | Self::Both)
    }
}

/// What a network tells a handset that it rejects.
//= TS 24.301 §5.5.1.2.5
//= TS 24.008 §4.4.4.7
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// #11 PLMN not allowed.
    Plmn,
    /// #12 location area or tracking area not allowed.
    Area,
    /// #13 roaming not allowed in this area.
    Roaming,
    /// #15 no suitable cells in this area.
    Cells,
    /// #17 network failure.
    Failure,
}

/// No coverage for a while.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// Bit n: in the nth area.
    pub areas: u16,
    /// From here …
    pub from_s: u32,
    /// … to there.
    pub to_s: u32,
}

/// A home operator.
#[derive(Clone, Debug)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// Its network.
    pub plmn: Plmn,
    /// How long its HSS takes, at least …
    pub latency_ms: u32,
    /// … and up to so much more.
    pub jitter_ms: u32,
    /// Of a thousand requests, so many it fails to comply with.
    pub failures: u32,
    /// Of a thousand requests, so many it never answers.
    pub silences: u32,
}

/// How a device behaves when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// By the standards, in automatic mode.
    Automatic,
    /// A user who has chosen a network by hand and insists.
    Manual,
    /// A module that tries again where it is, whatever it was told.
    Blind,
    /// A module that never clears its list of forbidden networks.
    Sticky,
    /// A module with several identities: it takes the next one after a while without service.
    MultiImsi,
}

/// A kind of device.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// Whose it is, by place in the list of customers, for each of its identities.
    pub customers: Vec<u8>,
    /// The first digits of its IMSI, for each of its identities.
    pub prefixes: Vec<String>,
    /// Its share of the population, as a weight.
    pub share: u32,
    /// Which radio it has.
    pub access: Access,
    /// Of a hundred with both radios so many arrive on 2G or 3G.
    pub on_2g: u32,
    /// Bit n: it can use the nth network (its bands).
    pub networks: u16,
    /// Bit n: it arrives in the nth area.
    pub areas: u16,
    /// Arrivals are spread over so long.
    pub arrive_s: u32,
    /// Of a hundred SIMs so many have a list of operators that names the preferred ones.
    pub listed: u32,
    /// Of a hundred so many hold #11 for final until their user acts.
    pub strict: u32,
    /// How long a refused device with nowhere left to go waits before it tries again, at least and
    /// at most; a blind module and a user by hand try again so often.
    pub retry_s: (u32, u32),
    /// How long after it got no service a user switches the device off and on.
    pub toggle_s: u32,
    /// Authentications of its ordinary life, for each hour.
    pub background: u32,
    /// The areas it travels through in turn, if it travels …
    pub route: Vec<u8>,
    /// … and how long it stays in each. Without a route: in an area, until it goes to another by
    /// their shares; 0: it stays.
    pub stay_s: u32,
    /// It has no voice: one domain, where others register in two.
    pub data_only: bool,
    /// It leaves after so long; 0: it does not.
    pub leave_s: u32,
}

/// Everything in some areas goes dark and comes back.
#[derive(Clone, Copy, Debug)]
pub struct PowerCut {
    /// Bit n: in the nth area.
    pub areas: u16,
    /// When.
    pub at_s: u32,
    /// For how long.
    pub lasts_s: u32,
    /// Devices come back over so long: they do not start all at once.
    pub back_s: u32,
    /// How many of a hundred.
    pub percent: u32,
}

/// One network's target among those that a plan prefers.
#[derive(Clone, Debug)]
pub struct Target {
    /// The plan.
    pub plan: String,
    /// The network, by place in the list.
    pub network: u8,
    /// Of a hundred.
    pub percent: u32,
}

impl Scenario {
    /// The same world for so many minutes, where everybody arrives in the first third and has 4G
    /// alone: what can be seen over sockets while somebody waits.
    #[must_use]
    pub fn live(mut self, minutes: u32) -> Self {
        self.seconds = minutes.saturating_mul(60);
        for class in &mut self.classes {
            class.access = Access::FourG;
            class.arrive_s = class.arrive_s.min(self.seconds / 3).max(1);
        }
        self
    }

    /// The same world with another number of subscribers.
    #[must_use]
    pub fn with_subscribers(mut self, subscribers: u32) -> Self {
        self.subscribers = subscribers;
        self
    }

    /// The power cuts that begin at a tick.
    pub(super) fn power_cuts_at(&self, tick: u32) -> Vec<PowerCut> {
        self.cuts.iter().filter(|cut| seconds(cut.at_s) == tick).copied().collect()
    }

    /// The networks that lose coverage at a tick, and in which areas.
    pub(super) fn outages_at(&self, tick: u32) -> Vec<(u8, u16)> {
        let all = (0_u8..).zip(&self.networks);
        let all =
            all.flat_map(|(place, network)| network.outages.iter().map(move |one| (place, one)));
        all.filter(|(_, one)| seconds(one.from_s) == tick)
            .map(|(place, one)| (place, one.areas))
            .collect()
    }
}
