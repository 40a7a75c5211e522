//! The fold from records to metrics.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use procedure::{Act, Finish, LinkId, Plmn, Provenance, Record, StackId, Symbol};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::bounded::{Bounded, Labels, Mix, OTHER, Value};
use super::{Register, codes};
use crate::summary::{failovers, finish_index, is_replay, is_resend, latency_us, new_exit};
use crate::{Lexicon, Names};

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];

/// What a label says where there is nothing to say.
const NONE: &str = "none";

type Counters<const N: usize> = Bounded<Counter, N>;
type Histograms = Bounded<Histogram, 2>;

/// Folds records into metrics; one for each [`super::Metrics`], used by one thread.
pub struct Counts {
    lexicon: Lexicon,
    operations: Operations,
    exchanges: Counters<7>,
    results: Counters<5>,
    latency: Histograms,
    refusals: Counters<2>,
    exits: Counters<2>,
    barred: Counters<2>,
    resends: Counters<1>,
    registrations: Counters<3>,
    links: Counters<2>,
    malformed: Counters<2>,
    request_octets: Counter,
    answer_octets: Counter,
    failovers: Counter,
    strays: Counter,
}

impl Counts {
    pub(super) fn new(to: &mut Register, limit: usize, names: Arc<dyn Names>) -> Self {
        let octets: Family<[(&str, &str); 1], Counter> = Family::default();
        let direction = |what| octets.get_or_create_owned(&[("direction", what)]);
        let (request_octets, answer_octets) = (direction("request"), direction("answer"));
        let (failovers, strays) = (Counter::default(), Counter::default());
        let counts = Self {
            lexicon: Lexicon::new(names),
            operations: Operations::default(),
            exchanges: counters(
                to,
                limit,
                "ipx_exchanges_total",
                "Exchanges, one for each record",
                ["stack", "act", "domain", "application", "operation", "finish", "provenance"],
            ),
            results: counters(
                to,
                limit,
                "ipx_results_total",
                "Results that askers were told",
                ["stack", "application", "operation", "kind", "code"],
            ),
            latency: histograms(to, limit),
            refusals: counters(
                to,
                limit,
                "ipx_steering_refusals_total",
                "Attempts refused by steering, repeats not counted again",
                ["customer", "visited"],
            ),
            exits: counters(
                to,
                limit,
                "ipx_steering_exits_total",
                "Attempts that steering let pass although not preferred",
                ["customer", "reason"],
            ),
            barred: counters(
                to,
                limit,
                "ipx_steering_barred_total",
                "Registrations refused where a customer does not roam at all",
                ["customer", "visited"],
            ),
            resends: counters(
                to,
                limit,
                "ipx_steering_resends_total",
                "Registrations that a visited network sent again faster than a handset can",
                ["visited"],
            ),
            registrations: counters(
                to,
                limit,
                "ipx_registrations_total",
                "Registrations that succeeded",
                ["customer", "visited", "preferred"],
            ),
            links: counters(
                to,
                limit,
                "ipx_link_exchanges_total",
                "Exchanges by the link they came from and the link they were sent to",
                ["link", "direction"],
            ),
            malformed: counters(
                to,
                limit,
                "ipx_malformed_total",
                "Frames that could not be read",
                ["layer", "field"],
            ),
            request_octets,
            answer_octets,
            failovers: failovers.clone(),
            strays: strays.clone(),
        };
        to.add("ipx_octets_total", "Octets of requests received and of answers sent", octets);
        to.add("ipx_failovers_total", "Requests sent again over another link", failovers);
        to.add("ipx_strays_total", "Answers that no exchange waited for", strays);
        counts
    }

    /// Takes one record in.
    pub fn fold(&mut self, record: &Record) {
        self.request_octets.inc_by(u64::from(record.request_octets));
        self.answer_octets.inc_by(u64::from(record.answer_octets));
        let operation = self.operations.place(record, self.lexicon.names());
        self.exchange(record, operation);
        self.result(record, operation);
        self.link(record.from, false);
        if let Some(to) = record.to {
            self.link(to, true);
        }
        if record.sends > 1 {
            self.failovers.inc_by(failovers(record));
        }
        self.steering(record);
        match record.finish {
            Finish::Stray => _ = self.strays.inc(),
            Finish::Malformed(what) => {
                // The names are literals of ours, so their address is as good a key as any.
                let key = what.field.as_ptr() as u64 ^ (what.layer as u64) << 56;
                let layer = || format!("{:?}", what.layer).to_lowercase();
                self.malformed.get(key, || [layer().into(), what.field.into()]).inc();
            }
            _ => {}
        }
    }

    fn exchange(&mut self, record: &Record, operation: u16) {
        let Record { stack, act, domain, finish, provenance, .. } = *record;
        let key = pack(&[
            (u64::from(operation), 16),
            (u64::from(stack.0), 8),
            (act as u64, 8),
            (domain as u64, 8),
            (finish_index(finish) as u64, 8),
            (provenance as u64, 8),
        ]);
        let (operations, names) = (&self.operations, self.lexicon.names());
        let values = || {
            let (application, operation) = operations.names(operation);
            let words = [act.name(), domain.name(), application, operation, finish.name()];
            let [act, domain, application, operation, finish] = words.map(Cow::Borrowed);
            let provenance = Cow::Borrowed(provenance.name());
            [stack_name(names, stack), act, domain, application, operation, finish, provenance]
        };
        self.exchanges.get(key, values).inc();
        if let Some(us) = latency_us(record) {
            let key = pack(&[(u64::from(stack.0), 8), (act as u64, 8)]);
            let values = || [stack_name(names, stack), act.name().into()];
            self.latency.get(key, values).observe(us as f64 / 1e6);
        }
    }

    fn result(&mut self, record: &Record, operation: u16) {
        let Some((kind, code)) = codes::class(record.code) else { return };
        let stack = record.stack;
        let key = pack(&[
            (u64::from(operation), 16),
            (u64::from(stack.0), 8),
            (u64::from(kind == "base"), 1),
            (code.map_or(0, |code| u64::from(code) + 1), 33),
        ]);
        let (operations, names) = (&self.operations, self.lexicon.names());
        let values = || {
            let (application, operation) = operations.names(operation);
            let code = code.map_or(OTHER.into(), |code| code.to_string().into());
            [stack_name(names, stack), application.into(), operation.into(), kind.into(), code]
        };
        self.results.get(key, values).inc();
    }

    fn link(&mut self, link: LinkId, to: bool) {
        let key = pack(&[(u64::from(link.0), 32), (u64::from(to), 1)]);
        let lexicon = &mut self.lexicon;
        let values = || {
            let direction = if to { "to" } else { "from" };
            [lexicon.link(link).raw.to_string().into(), direction.into()]
        };
        self.links.get(key, values).inc();
    }

    fn steering(&mut self, record: &Record) {
        let registered = record.act == Act::Register && record.success;
        let steered = record.provenance == Provenance::Steering && !is_replay(record);
        let customer = record.customer;
        if let Some(exit) = new_exit(record) {
            let key = pack(&[(symbol_key(customer), 33), (exit as u64, 8)]);
            let lexicon = &mut self.lexicon;
            let values = || [symbol_name(lexicon, customer), exit.name().into()];
            self.exits.get(key, values).inc();
        }
        let barred = record.provenance == Provenance::Barring;
        let resent = is_resend(record);
        if !(steered || registered || barred || resent) {
            return;
        }
        let visited = Visited::of(record.visited, self.lexicon.names());
        let key = [(symbol_key(customer), 33), (visited.key(), 25)];
        let lexicon = &mut self.lexicon;
        if steered {
            let values = || [symbol_name(lexicon, customer), visited.name()];
            self.refusals.get(pack(&key), values).inc();
        }
        let lexicon = &mut self.lexicon;
        if barred {
            let values = || [symbol_name(lexicon, customer), visited.name()];
            self.barred.get(pack(&key), values).inc();
        }
        if resent {
            self.resends.get(pack(&[(visited.key(), 25)]), || [visited.name()]).inc();
        }
        let lexicon = &mut self.lexicon;
        if registered {
            let (number, preferred) = match record.preferred {
                None => (0, NONE),
                Some(false) => (1, "no"),
                Some(true) => (2, "yes"),
            };
            let [customer_key, visited_key] = key;
            let key = pack(&[customer_key, visited_key, (number, 2)]);
            let values = || [symbol_name(lexicon, customer), visited.name(), preferred.into()];
            self.registrations.get(key, values).inc();
        }
    }
}

fn counters<const N: usize>(
    to: &mut Register,
    limit: usize,
    name: &'static str,
    help: &str,
    keys: [&'static str; N],
) -> Counters<N> {
    let family = Family::<Labels<N>, Counter>::default();
    to.add(name, help, family.clone());
    Bounded::new(family, keys, limit)
}

fn histograms(to: &mut Register, limit: usize) -> Histograms {
    let make: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS);
    let family = Family::<Labels<2>, Histogram, _>::new_with_constructor(make);
    let help = "From the opening message to its answer, refusal or expiry";
    to.add("ipx_latency_seconds", help, family.clone());
    Bounded::new(family, ["stack", "act"], limit)
}

/// Puts small numbers side by side into one word: (value, bits). The sum of bits is at most 64.
fn pack(parts: &[(u64, u32)]) -> u64 {
    parts.iter().fold(0, |word, (value, bits)| word << bits | value)
}

fn stack_name(names: &dyn Names, stack: StackId) -> Value {
    names.stack(stack).to_owned().into()
}

fn symbol_key(symbol: Option<Symbol>) -> u64 {
    symbol.map_or(0, |symbol| u64::from(symbol.0) + 1)
}

fn symbol_name(lexicon: &mut Lexicon, symbol: Option<Symbol>) -> Value {
    symbol.map_or(NONE.into(), |symbol| lexicon.symbol(symbol).raw.to_string().into())
}

/// A visited network as a label: only networks that exist get one, whatever peers send.
#[derive(Clone, Copy)]
enum Visited {
    Untold,
    Unknown,
    Known(Plmn),
}

impl Visited {
    fn of(plmn: Option<Plmn>, names: &dyn Names) -> Self {
        match plmn {
            None => Self::Untold,
            Some(plmn) if names.country(plmn).is_some() => Self::Known(plmn),
            Some(_) => Self::Unknown,
        }
    }

    const fn key(self) -> u64 {
        match self {
            Self::Untold => 0,
            Self::Unknown => 1,
            Self::Known(plmn) => 1 << 24 | plmn.word() as u64,
        }
    }

    fn name(self) -> Value {
        match self {
            Self::Untold => NONE.into(),
            Self::Unknown => OTHER.into(),
            Self::Known(plmn) => plmn.to_string().into(),
        }
    }
}

/// Small numbers for the operations that the vocabulary knows by name. Numbers without a name share
/// one place, so what peers make up takes no room.
#[derive(Default)]
struct Operations {
    places: HashMap<u64, u16, BuildHasherDefault<Mix>>,
    names: Vec<(&'static str, &'static str)>,
}

impl Operations {
    fn place(&mut self, record: &Record, names: &dyn Names) -> u16 {
        let (application, operation) = names.operation(record.application, record.operation);
        let key = pack(&[
            (application.map_or(u64::from(u32::MAX), |_| u64::from(record.application)), 32),
            (operation.map_or(u64::from(u32::MAX), |_| u64::from(record.operation)), 32),
        ]);
        *self.places.entry(key).or_insert_with(|| {
            self.names.push((application.unwrap_or(OTHER), operation.unwrap_or(OTHER)));
            u16::try_from(self.names.len() - 1).unwrap_or(u16::MAX)
        })
    }

    fn names(&self, place: u16) -> (&'static str, &'static str) {
        self.names.get(usize::from(place)).copied().unwrap_or((OTHER, OTHER))
    }
}
