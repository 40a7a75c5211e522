//! What all links share: who is active for which server, and which destinations are there.
//!
//! Machines change it and push `Effect::Tidings`; every machine then looks at it again and tells
//! its peer what differs from what it told last. What the walk asks for each message is an atomic
//! load; everything else is behind one small lock that is held for a change only.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procedure::{LinkId, Symbol};

use super::network::Destinations;
use super::table::{self, Asp, Members, Standing};
use crate::config::{Config, LinkConfig, SERVERS_A_LINK_MAX, Server, Timers, TrafficMode};
use crate::view::m3ua::{PointCode, Variant};

/// Reports of congestion that are remembered until every link has passed them on.
const CONGESTIONS_MAX: usize = 64;

/// The part of the configuration that links go by.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) variant: Variant,
    pub(crate) point_codes: Vec<PointCode>,
    pub(crate) links: Vec<Option<LinkConfig>>,
    pub(crate) servers: Vec<Server>,
    pub(crate) timers: Timers,
}

/// A link's place in a server.
#[derive(Debug)]
struct Seat {
    server: usize,
    name: Symbol,
    carries: AtomicBool,
}

/// A server's ASP behind one link.
#[derive(Clone, Copy, Debug)]
struct Member {
    link: LinkId,
    asp: Asp,
    /// When it became active, by count.
    since: u64,
}

#[derive(Debug)]
struct Live {
    standing: Standing,
    /// How often it has become pending.
    pendings: u32,
    members: Vec<Member>,
}

/// A report that a destination is congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Congestion {
    /// Its number among all reports.
    pub(super) number: u64,
    /// Who said so.
    pub(super) from: LinkId,
    /// Of which destination.
    pub(super) code: PointCode,
    /// How much, where it was said.
    pub(super) level: Option<u32>,
}

#[derive(Debug, Default)]
struct Lives {
    servers: Vec<Live>,
    activations: u64,
    congestions: VecDeque<Congestion>,
    reports: u64,
}

/// What follows from a change, for the machine that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Others shall look again.
    pub(super) is_new: bool,
    /// The server has become active with this change, or is so no more.
    pub(super) reached: Option<bool>,
    /// The server has become pending with this change, for the so manieth time.
    pub(super) pending: Option<u32>,
}

/// Shared by all machines and the walk.
#[derive(Debug)]
pub struct State {
    pub(crate) scope: Scope,
    /// By link.
    seats: Vec<Vec<Seat>>,
    /// By server.
    standings: Vec<AtomicU8>,
    /// By link: what its peer said of destinations.
    destinations: Vec<Destinations>,
    /// All point codes behind servers, in order.
    codes: Vec<PointCode>,
    lives: Mutex<Lives>,
    version: AtomicU64,
}

impl State {
    /// With every link down.
    #[must_use]
    pub fn new(config: &Config) -> Arc<Self> {
        Self::of(Scope {
            variant: config.variant,
            point_codes: config.point_codes.clone(),
            links: config.links.clone(),
            servers: config.servers.clone(),
            timers: config.timers,
        })
    }

    pub(crate) fn of(scope: Scope) -> Arc<Self> {
        let seats = (0..scope.links.len()).map(|link| {
            let servers = scope.servers.iter().enumerate();
            let its = servers
                .filter(|(_, server)| server.links.iter().any(|member| member.0 as usize == link));
            its.take(SERVERS_A_LINK_MAX)
                .map(|(index, server)| Seat {
                    server: index,
                    name: server.name,
                    carries: AtomicBool::new(false),
                })
                .collect()
        });
        let seats = seats.collect();
        let live = |server: &Server| Live {
            standing: Standing::Down,
            pendings: 0,
            members: (server.links.iter())
                .map(|link| Member { link: *link, asp: Asp::Down, since: 0 })
                .collect(),
        };
        let lives = Lives { servers: scope.servers.iter().map(live).collect(), ..Lives::default() };
        let mut codes: Vec<_> =
            scope.servers.iter().flat_map(|server| server.point_codes.iter().copied()).collect();
        codes.sort_unstable();
        codes.dedup();
        let standings = scope.servers.iter().map(|_| AtomicU8::new(Standing::Down as u8));
        Arc::new(Self {
            seats,
            standings: standings.collect(),
            destinations: scope.links.iter().map(|_| Destinations::default()).collect(),
            codes,
            lives: Mutex::new(lives),
            version: AtomicU64::new(0),
            scope,
        })
    }

    /// Whether a link takes traffic now: for the server of that name, or for any.
    #[must_use]
    pub fn carries(&self, link: LinkId, server: Option<Symbol>) -> bool {
        let Some(seats) = self.seats.get(link.0 as usize) else { return false };
        let mut its = seats.iter().filter(|seat| server.is_none_or(|name| seat.name == name));
        its.any(|seat| seat.carries.load(Ordering::Acquire))
    }

    /// The standing of a server, by its place in the configuration.
    #[must_use]
    pub fn standing(&self, server: usize) -> Standing {
        let number = self.standings.get(server).map_or(0, |found| found.load(Ordering::Acquire));
        match number {
            2 => Standing::Inactive,
            3 => Standing::Active,
            4 => Standing::Pending,
            _ => Standing::Down,
        }
    }

    /// Whether a destination is there: one of our own, or behind a server that is active or may
    /// soon be again, over a link whose peer did not say that it is out of reach.
    #[must_use]
    pub fn is_available(&self, code: PointCode) -> bool {
        if self.scope.point_codes.contains(&code) {
            return true;
        }
        let servers = self.scope.servers.iter().enumerate();
        let mut behind = servers.filter(|(_, server)| server.point_codes.contains(&code));
        behind.any(|(index, server)| match self.standing(index) {
            Standing::Active => (server.links.iter())
                .any(|link| self.is_chosen(*link, index) && self.passes(*link, code)),
            Standing::Pending => true,
            Standing::Down | Standing::Inactive => false,
        })
    }

    /// Whether a link's peer, as far as it said, can reach a destination.
    #[must_use]
    pub fn passes(&self, link: LinkId, code: PointCode) -> bool {
        self.destinations(link).is_none_or(|known| !known.is_unavailable(code))
    }

    /// Whether any server has traffic to offer.
    pub(super) fn is_any_active(&self) -> bool {
        (0..self.standings.len()).any(|server| self.standing(server) == Standing::Active)
    }

    fn is_chosen(&self, link: LinkId, server: usize) -> bool {
        let seats = self.seats.get(link.0 as usize).into_iter().flatten();
        let mut its = seats.filter(|seat| seat.server == server);
        its.any(|seat| seat.carries.load(Ordering::Acquire))
    }

    pub(super) fn destinations(&self, link: LinkId) -> Option<&Destinations> {
        self.destinations.get(link.0 as usize)
    }

    /// All point codes behind servers, in order.
    pub(super) fn codes(&self) -> &[PointCode] {
        &self.codes
    }

    /// The servers that a link may serve.
    pub(crate) fn servers_of(&self, link: LinkId) -> impl Iterator<Item = usize> {
        self.seats.get(link.0 as usize).into_iter().flatten().map(|seat| seat.server)
    }

    /// Grows with every change.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn bump(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// What a server's ASP behind a link is now; `Down` where it is none.
    pub(super) fn asp(&self, server: usize, link: LinkId) -> Asp {
        let lives = self.lock();
        let mut members = lives.servers.get(server).into_iter().flat_map(|live| &live.members);
        members.find(|member| member.link == link).map_or(Asp::Down, |member| member.asp)
    }

    /// Whether a server has some active ASPs and fewer than it needs.
    pub(super) fn is_short(&self, server: usize) -> bool {
        let lives = self.lock();
        let Some(live) = lives.servers.get(server) else { return false };
        self.members(server, live) == Members::Few
    }

    /// A server's ASP behind a link has changed. Where it becomes active, `replaces` makes the
    /// others inactive.
    pub(super) fn set(&self, server: usize, link: LinkId, asp: Asp, replaces: bool) -> Change {
        let none = Change { is_new: false, reached: None, pending: None };
        let mut lives = self.lock();
        let Lives { servers, activations, .. } = &mut *lives;
        let Some(live) = servers.get_mut(server) else { return none };
        let Some(member) = live.members.iter_mut().find(|member| member.link == link) else {
            return none;
        };
        if member.asp == asp {
            return none;
        }
        member.asp = asp;
        if asp == Asp::Active {
            *activations += 1;
            member.since = *activations;
            for other in live.members.iter_mut().filter(|other| replaces && other.link != link) {
                other.asp = other.asp.min(Asp::Inactive);
            }
        }
        let was = live.standing;
        live.standing = table::standing(was, self.members(server, live), false);
        let is_pending = live.standing == Standing::Pending && was != Standing::Pending;
        live.pendings = live.pendings.wrapping_add(u32::from(is_pending));
        self.publish(server, live);
        let is_active = live.standing == Standing::Active;
        let reached = (is_active != (was == Standing::Active)).then_some(is_active);
        Change { is_new: true, reached, pending: is_pending.then_some(live.pendings) }
    }

    /// T(r) has run out for a server that became pending for the so manieth time. Whether it has
    /// not recovered.
    pub(super) fn give_up(&self, server: usize, pendings: u32) -> bool {
        let mut lives = self.lock();
        let Some(live) = lives.servers.get_mut(server) else { return false };
        if live.standing != Standing::Pending || live.pendings != pendings {
            return false;
        }
        live.standing = table::standing(live.standing, self.members(server, live), true);
        self.publish(server, live);
        true
    }

    /// A peer says that a destination is congested.
    pub(super) fn congested(&self, from: LinkId, code: PointCode, level: Option<u32>) {
        let mut lives = self.lock();
        lives.reports += 1;
        let number = lives.reports;
        if lives.congestions.len() >= CONGESTIONS_MAX {
            lives.congestions.pop_front();
        }
        lives.congestions.push_back(Congestion { number, from, code, level });
        self.bump();
    }

    /// The reports after the one with this number, oldest first.
    pub(super) fn congestions(&self, after: u64) -> Vec<Congestion> {
        let lives = self.lock();
        lives.congestions.iter().filter(|report| report.number > after).copied().collect()
    }

    fn members(&self, server: usize, live: &Live) -> Members {
        let least = self.scope.servers.get(server).map_or(1, |found| found.links_min.max(1));
        let count = |asp| live.members.iter().filter(|member| member.asp >= asp).count();
        match (count(Asp::Inactive), count(Asp::Active)) {
            (0, _) => Members::None,
            (_, 0) => Members::Idle,
            (_, active) if active < usize::from(least) => Members::Few,
            _ => Members::Enough,
        }
    }

    /// Shows the walk what a server now is.
    fn publish(&self, server: usize, live: &Live) {
        let mode = self.scope.servers.get(server).map(|found| found.mode);
        let active = live.members.iter().filter(|member| member.asp == Asp::Active);
        let last = active.max_by_key(|member| member.since).map(|member| member.link);
        for member in &live.members {
            let is_the_one = mode != Some(TrafficMode::Override) || last == Some(member.link);
            let carries = live.standing == Standing::Active && member.asp == Asp::Active;
            let seats = self.seats.get(member.link.0 as usize).into_iter().flatten();
            for seat in seats.filter(|seat| seat.server == server) {
                seat.carries.store(carries && is_the_one, Ordering::Release);
            }
        }
        if let Some(shown) = self.standings.get(server) {
            shown.store(live.standing as u8, Ordering::Release);
        }
        self.bump();
    }

    fn lock(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
