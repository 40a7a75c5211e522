//! A run: the calendar's next tick, what handsets want, the signalling plane's turn, what they hear.

use std::collections::VecDeque;

use policy::{Diagnostic, Networks, Source};

use super::calendar::{Calendar, TICKS_A_SECOND, Why, seconds};
use super::checkers::{Checker, Failure, Watch, Who};
use super::figures::{CURVE_S, Figures, Meter};
use super::ground::{Ground, NONE};
use super::handset::{Ask, Handset, News, Stage, State};
use super::live::{Live, LivePlane};
use super::plane::{self, Plane, Policies, Signalling};
use super::plans::{self, Facts, Style};
use super::s6a;
use super::scenario::Scenario;

/// After the end nothing new begins, and what is under way has so long to come to rest.
const REST_S: u32 = 40;
/// Most lines of a subscriber's history: the last ones.
const HISTORY_MAX: usize = 60;

/// What shall be run.
#[derive(Clone, Debug)]
pub struct Order {
    /// The world.
    pub scenario: Scenario,
    /// The policy's name, for the figures, and what its checkers hold it to.
    pub style: Style,
    /// Somebody's own policy files in the place of the scenario's plans.
    pub policies: Option<Vec<Source>>,
    /// Everything that is random.
    pub seed: u64,
    /// Over sockets, against a daemon.
    pub live: Option<Live>,
    /// What tests plant.
    pub faults: Faults,
}

/// Faults that tests plant, to see that checkers find them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Plans that the checkers believe in, other than those the engine has.
    pub promised: Option<Source>,
    /// Of so many records one is lost.
    pub loses_records: Option<u64>,
    /// The run ends before what is under way has come to rest.
    pub breaks_off: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Seconds of virtual time.
    pub at_s: u32,
    /// Of so many.
    pub of_s: u32,
    /// Subscribers.
    pub subscribers: u32,
    /// Transactions so far.
    pub transactions: u64,
}

/// Why there are no figures.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// The policies are wrong.
    Policies(Vec<Diagnostic>),
    /// A peer could not be introduced.
    Plane(String),
    /// A checker says so.
    Failed(Box<Failure>),
}

/// One run's whole state.
struct Run<'a> {
    ground: &'a Ground,
    calendar: Calendar,
    handsets: Vec<Handset>,
    plane: Box<dyn Signalling>,
    watch: Watch,
    meter: Meter,
    asks: Vec<Ask>,
    news: Vec<(u32, News)>,
    tick: u32,
    traced: Option<u32>,
    history: VecDeque<String>,
}

/// Runs a world to its end.
///
/// # Errors
/// Policies that are wrong, or a checker that failed, with its subscriber's history.
pub fn run(order: &Order, progress: &mut dyn FnMut(&Progress)) -> Result<Figures, Trouble> {
    let prepared = Prepared::new(order)?;
    match prepared.run(order, None, progress) {
        Err(Trouble::Failed(failure)) if order.live.is_none() => {
            // Once more, writing down what becomes of the one it failed for: the same seed, the same
            // run.
            let Some(subscriber) = failure.subscriber else { return Err(Trouble::Failed(failure)) };
            prepared.run(order, Some(subscriber), progress)
        }
        other => other,
    }
}

/// Sees whether a scenario's plans are right.
///
/// # Errors
/// Every mistake, at its place in the scenario's file.
pub fn check(scenario: &Scenario) -> Result<(), Vec<Diagnostic>> {
    let stands = plans::as_they_stand(&scenario.source);
    let numbers = plans::numbers(scenario, None);
    let policies = plane::policies(scenario, &numbers, stands);
    let ground = Ground::new(scenario.clone(), &Networks::built_in(), Vec::new(), numbers);
    let found = plane::engine(&ground, &policies, 1);
    let renamed = |mut mistake: Diagnostic| {
        if mistake.file == "steering.toml" {
            mistake.file.clone_from(&scenario.source.name);
        }
        mistake
    };
    found.map(|_| ()).map_err(|list| list.into_iter().map(renamed).collect())
}

/// A world that is ready to run.
struct Prepared {
    ground: Ground,
    known: Networks,
    policies: Policies,
    promised: Vec<Facts>,
    /// What the scenario itself prefers, whatever the policy says.
    facts: Vec<Facts>,
}

impl Prepared {
    fn new(order: &Order) -> Result<Self, Trouble> {
        let known = Networks::built_in();
        let scenario = order.scenario.clone();
        let styled = order.style.steering(&scenario);
        let own = order.policies.iter().flatten();
        let own = own.into_iter().find(|source| source.name.ends_with("networks.toml"));
        let numbers = plans::numbers(&scenario, own);
        let policies = match &order.policies {
            None => plane::policies(&scenario, &numbers, styled.clone()),
            Some(own) => {
                let ours = [numbers.source.clone(), plans::routes(&scenario)];
                Policies(own.iter().cloned().chain(ours).collect())
            }
        };
        let steering = policies.0.iter().find(|source| source.name.ends_with("steering.toml"));
        let promised = plans::facts(order.faults.promised.as_ref().or(steering).unwrap_or(&styled));
        let stands = plans::as_they_stand(&scenario.source);
        let facts = plans::facts(if order.policies.is_some() {
            steering.unwrap_or(&stands)
        } else {
            &stands
        });
        let preferred = plans::preferred(&scenario, &facts, &known);
        let ground = Ground::new(scenario, &known, preferred, numbers);
        Ok(Self { ground, known, policies, promised, facts })
    }

    fn run(
        &self,
        order: &Order,
        traced: Option<u32>,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Figures, Trouble> {
        let ground = &self.ground;
        // Plans with a style's keys over them stand in no file.
        let laid_over = |mut mistake: Diagnostic| {
            if mistake.file == "steering.toml" {
                mistake.file = format!("`{}` over {}", order.style.name, ground.scenario.name);
            }
            mistake
        };
        let engine = plane::engine(ground, &self.policies, order.seed)
            .map_err(|mistakes| Trouble::Policies(mistakes.into_iter().map(laid_over).collect()))?;
        let plane: Result<Box<dyn Signalling>, String> = match &order.live {
            None => Plane::new(ground, engine, order.seed).map(|plane| Box::new(plane) as _),
            Some(live) => LivePlane::new(ground, &self.policies, order.seed, live)
                .map(|plane| Box::new(plane) as _),
        };
        let mut plane = plane.map_err(Trouble::Plane)?;
        plane.books_mut().ledger.loses_every = order.faults.loses_records;
        let enforces = order.style.enforces_service;
        let mut run = Run {
            ground,
            calendar: Calendar::new(seconds(ground.scenario.seconds)),
            handsets: populate(ground, order.seed),
            plane,
            watch: Watch::new(ground, &self.known, &self.promised, enforces),
            meter: Meter::new(ground),
            asks: Vec::new(),
            news: Vec::new(),
            tick: 0,
            traced,
            history: VecDeque::new(),
        };
        let done = run.all(order.faults.breaks_off, progress);
        if let Err(mut failure) = done {
            failure.history = run.history.into();
            return Err(Trouble::Failed(failure));
        }
        let facts = (&*self.facts, &self.known);
        let totals =
            (&run.plane.books().ledger, run.plane.books().ledger.exchanges, run.watch.overlong);
        Ok(run.meter.figures(ground, facts, (&order.style.name, order.seed), totals))
    }
}

fn populate(ground: &Ground, seed: u64) -> Vec<Handset> {
    let all = 0..ground.scenario.subscribers;
    all.map(|handset| Handset::new(handset, ground.class_of(handset), ground, seed)).collect()
}

impl Run<'_> {
    fn all(
        &mut self,
        breaks_off: bool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), Box<Failure>> {
        self.invite();
        let end = seconds(self.ground.scenario.seconds);
        for tick in 1..=end {
            self.tick = tick;
            self.wake()?;
            self.befall();
            self.put_in();
            self.plane.turn(self.ground, tick);
            self.hear(true)?;
            if self.plane.is_lost() {
                return self.accounts();
            }
            if tick.is_multiple_of(seconds(CURVE_S)) {
                self.meter.look(self.ground, &self.handsets, self.plane.books().ledger.refused);
            }
            if tick.is_multiple_of(TICKS_A_SECOND) {
                progress(&self.progress(tick / TICKS_A_SECOND));
            }
        }
        self.unserved_still()?;
        self.rest(breaks_off)?;
        self.accounts()
    }

    fn progress(&self, at_s: u32) -> Progress {
        Progress {
            at_s,
            of_s: self.ground.scenario.seconds,
            subscribers: self.ground.scenario.subscribers,
            transactions: self.plane.books().transactions,
        }
    }

    /// Everybody's arrival goes into the calendar.
    fn invite(&mut self) {
        for (id, handset) in (0_u32..).zip(&mut self.handsets) {
            let Some(class) = self.ground.class(handset.class) else { continue };
            let window = usize::try_from(seconds(class.arrive_s)).unwrap_or(0);
            let after = u32::try_from(handset.random.below(window)).unwrap_or(0);
            self.calendar.at(1 + after, id, Why::Arrive);
        }
    }

    fn wake(&mut self) -> Result<(), Box<Failure>> {
        for event in self.calendar.take(self.tick) {
            let Some(handset) = self.handsets.get_mut(event.handset as usize) else { continue };
            match event.why {
                Why::OneMinute(visit) if visit == handset.visit => {
                    self.meter.one_minute(self.ground, handset);
                }
                Why::TenMinutes => self.meter.ten_minutes(self.ground, handset, self.tick),
                why => {
                    let mut stage = Stage {
                        ground: self.ground,
                        tick: self.tick,
                        calendar: &mut self.calendar,
                        asks: &mut self.asks,
                        news: &mut self.news,
                    };
                    let counts = handset.awaits(why) && why != Why::Background;
                    handset.woken(event.handset, why, &mut stage);
                    if counts {
                        self.trace(event.handset, || format!("{why:?}"));
                    }
                }
            }
            self.judge()?;
        }
        Ok(())
    }

    /// What befalls everybody somewhere: power cuts, and coverage that goes.
    fn befall(&mut self) {
        let scenario = &self.ground.scenario;
        let cuts = scenario.power_cuts_at(self.tick);
        for cut in cuts {
            self.each(|handset, id, stage| {
                let hit = handset.area != NONE && cut.areas >> handset.area & 1 != 0;
                if hit
                    && handset.state != State::Off
                    && handset.random.below(100) < cut.percent as usize
                {
                    let back = handset.random.below(seconds(cut.back_s) as usize + 1);
                    let dark = seconds(cut.lasts_s) + u32::try_from(back).unwrap_or(0);
                    handset.switched_off(id, stage.tick + dark, stage);
                }
            });
        }
        for (network, areas) in scenario.outages_at(self.tick) {
            self.each(|handset, id, stage| {
                let hit = handset.network == network && areas >> (handset.area & 15) & 1 != 0;
                if hit && handset.state == State::Registered {
                    handset.lost(id, stage);
                }
            });
        }
    }

    fn each(&mut self, mut call: impl FnMut(&mut Handset, u32, &mut Stage<'_>)) {
        let mut stage = Stage {
            ground: self.ground,
            tick: self.tick,
            calendar: &mut self.calendar,
            asks: &mut self.asks,
            news: &mut self.news,
        };
        for (id, handset) in (0_u32..).zip(&mut self.handsets) {
            call(handset, id, &mut stage);
        }
    }

    /// Puts the requests of this tick before the gateway.
    fn put_in(&mut self) {
        let asks = std::mem::take(&mut self.asks);
        for ask in &asks {
            if let Some(handset) = self.handsets.get(ask.handset as usize) {
                self.plane.ask(self.ground, handset.class, ask);
                if !ask.op.is_background() {
                    self.trace(ask.handset, || format!("asks {:?} at node {}", ask.op, ask.node));
                }
            }
        }
        self.asks = asks;
        self.asks.clear();
    }

    /// Tells handsets what their networks heard. After the end nothing new is asked.
    fn hear(&mut self, goes_on: bool) -> Result<(), Box<Failure>> {
        let heard = std::mem::take(&mut self.plane.books_mut().heard);
        for one in &heard {
            if !one.op.is_background() {
                self.trace(one.handset, || format!("hears {:?} to {:?}", one.said, one.op));
            }
            let Some(handset) = self.handsets.get_mut(one.handset as usize) else { continue };
            let mut stage = Stage {
                ground: self.ground,
                tick: self.tick,
                calendar: &mut self.calendar,
                asks: &mut self.asks,
                news: &mut self.news,
            };
            handset.answered(one.handset, one.op, one.attempt, one.said, &mut stage);
            self.judge()?;
        }
        self.plane.books_mut().heard = heard;
        if !goes_on {
            self.asks.clear();
        }
        Ok(())
    }

    /// Takes the news to the checkers and the meter.
    fn judge(&mut self) -> Result<(), Box<Failure>> {
        while let Some((subscriber, news)) = self.news.pop() {
            let Some(handset) = self.handsets.get(subscriber as usize) else { continue };
            let customer = handset.customer(self.ground);
            let who = Who { subscriber, identity: handset.identity, customer };
            let failure = match news {
                News::Refused { network, again } => {
                    self.meter.refused(subscriber);
                    self.meter.attempts += u64::from(!again);
                    self.watch.refused(self.ground, who, network, again, self.tick)
                }
                News::Registered { .. } if handset.is_home(self.ground) => {
                    let imsi = s6a::imsi(self.ground, handset.class, handset.identity, subscriber);
                    self.plane.came_home(customer, imsi, self.ground, self.tick);
                    None
                }
                News::Registered { network } => {
                    self.watch.accepted(self.ground, who, network, self.tick);
                    None
                }
                News::Unserved { ticks } => {
                    self.meter.unserved(subscriber, ticks);
                    self.watch.unserved(subscriber, ticks, self.tick)
                }
                News::Rotated => {
                    self.meter.rotations += 1;
                    None
                }
                News::Stranded => {
                    self.meter.stranded += 1;
                    None
                }
            };
            self.trace(subscriber, || format!("{news:?}"));
            if let Some(failure) = failure {
                return Err(Box::new(failure));
            }
        }
        Ok(())
    }

    /// Who is still without service at the end.
    fn unserved_still(&mut self) -> Result<(), Box<Failure>> {
        for (id, handset) in (0_u32..).zip(&self.handsets) {
            if let Some(ticks) = handset.stretch(self.tick) {
                self.meter.unserved(id, ticks);
                if let Some(failure) = self.watch.unserved(id, ticks, self.tick) {
                    return Err(Box::new(failure));
                }
            }
        }
        Ok(())
    }

    /// Lets everything come to rest.
    fn rest(&mut self, breaks_off: bool) -> Result<(), Box<Failure>> {
        let end = self.tick + seconds(REST_S);
        while !breaks_off && self.tick < end && !self.plane.is_at_rest() {
            self.tick += 1;
            self.plane.turn(self.ground, self.tick);
            self.hear(false)?;
        }
        Ok(())
    }

    /// What must add up at the end.
    fn accounts(&mut self) -> Result<(), Box<Failure>> {
        let at_s = f64::from(self.tick) / f64::from(TICKS_A_SECOND);
        let failure = |checker, what: String| {
            let (subscriber, network, history) = (None, None, Vec::new());
            Err(Box::new(Failure { checker, subscriber, network, at_s, what, history }))
        };
        let left = self.plane.close();
        let (frames, recorded) = (self.plane.books().frames, self.plane.books().ledger.frames);
        if !left.is_empty() {
            return failure(Checker::Rest, left.join("; "));
        }
        if frames != recorded {
            let what = format!("{frames} frames went in, the records account for {recorded}");
            return failure(Checker::Records, what);
        }
        if self.plane.books().ledger.odd > 0 {
            let what = format!("{} strays or malformed", self.plane.books().ledger.odd);
            return failure(Checker::Records, what);
        }
        Ok(())
    }

    fn trace(&mut self, subscriber: u32, what: impl FnOnce() -> String) {
        if self.traced != Some(subscriber) {
            return;
        }
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        let Some(handset) = self.handsets.get(subscriber as usize) else { return };
        let network = self.ground.network(handset.network);
        let network = network.map_or_else(|| "-".to_owned(), |network| network.plmn.to_string());
        let area = self.ground.scenario.areas.get(usize::from(handset.area));
        let at = f64::from(self.tick) / f64::from(TICKS_A_SECOND);
        let area = area.map_or("-", |area| &area.name);
        let state = handset.state;
        self.history.push_back(format!("{at:9.2} s  {state:?} {network} {area}: {}", what()));
    }
}
