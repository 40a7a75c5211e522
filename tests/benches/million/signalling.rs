//! Attaches of a VLR through the gateway to an HLR: vectors, then the location, in all versions of
//! MAP, with subscription data inside the dialogue.

use std::sync::Arc;
use std::time::Duration;

use sctp::Peer;
use sim::mme::{Live, Load};
use sim::ss7::asp::AspConfig;
use sim::ss7::hlr::{Hlr, HlrCounters, HlrSnapshot};
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::ss7::load::{Procedure, VisitedConfig, VisitedReport};
use sim::ss7::map::{Operation, Version};
use sim::ss7::outcome::Outcome as End;
use sim::ss7::visited::{Identity, Role};
use tests::children::eventually;
use tokio::runtime::Builder;

use crate::rig::gateway::{self, ENCAPSULATION_PORT, HOME_CODE, OWN_CODE, VISITED_CODE};
use crate::rig::place::Place;
use crate::rig::{Outcome, load};
use crate::{Phase, Plan, common_faults};

const WINDOW: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the load and compares what everybody saw.
pub(crate) fn in_peace(place: &Place, plan: Plan) -> Outcome<Phase> {
    let mut process = gateway::start_signalling(place)?;
    let home = Hlr::new(HomeConfig::new("34609000001"), link(place, HOME_CODE), TIMEOUT);
    let counters = home.counters();
    let (handle, stop) = sim::stop();
    let (report, snapshot) = std::thread::scope(|scope| {
        let home = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(home.run(stop)).map_err(text)
        });
        let report = visit(place, plan, &counters);
        let snapshot = counters.snapshot();
        handle.stop();
        home.join().map_err(|_| "the HLR panicked")??;
        Ok::<_, String>((report?, snapshot))
    })?;
    process.check()?;
    let mut wrong = common_faults(&report.report, plan);
    wrong.extend(disagreements(&report, &snapshot));
    let recorded = || {
        let records = gateway::metric(place, "ipx_exchanges_total").ok()?;
        (records >= plan.transactions as f64).then_some(records)
    };
    match eventually(Duration::from_secs(5), recorded) {
        Some(records) if records == plan.transactions as f64 => {}
        other => wrong.push(format!("{other:?} records of {} dialogues", plan.transactions)),
    }
    if gateway::metric(place, "ipx_journal_overflow_records_total")? > 0.0 {
        wrong.push("records were dropped".into());
    }
    Ok(Phase { name: "MAP in peace", report: report.report, restarts: 0, reloads: 0, wrong })
}

fn visit(place: &Place, plan: Plan, home: &HlrCounters) -> Outcome<VisitedReport> {
    let up = || (home.snapshot().ready > 0).then_some(());
    eventually(Duration::from_secs(20), up).ok_or("the HLR did not come up at the gateway")?;
    let mut identity = Identity::new(Role::Vlr, "447802000001");
    identity.titles = vec!["21407=34609".parse()?];
    let imsi = load::SUBSCRIBERS.parse()?;
    let mut config = VisitedConfig::new(identity, link(place, VISITED_CODE), imsi);
    config.load = Load::Window(WINDOW);
    config.count = Some(plan.transactions);
    config.procedure = Procedure::Attach;
    config.versions = vec![Version::V1, Version::V2, Version::V3];
    config.timeout = TIMEOUT;
    let (_handle, stop) = sim::stop();
    let runtime = Builder::new_current_thread().enable_all().build().map_err(text)?;
    let live = Arc::new(Live::default());
    runtime.block_on(sim::ss7::load::run(config, stop, live)).map_err(text)
}

fn link(place: &Place, code: u32) -> LinkConfig {
    let gateway = Peer {
        addresses: vec![place.relay.ip()],
        port: 2905,
        encapsulation_port: ENCAPSULATION_PORT,
    };
    let mut asp = AspConfig::new(code, OWN_CODE);
    (asp.routing_context, asp.asp_id) = (Some(code), Some(code));
    let mut link = LinkConfig::new(gateway, asp);
    link.local = vec![place.asker];
    link
}

/// What the two ends say that does not fit together.
fn disagreements(visited: &VisitedReport, home: &HlrSnapshot) -> Vec<String> {
    let mut wrong = Vec::new();
    if visited.outcomes != home.counts.outcomes {
        let (here, there) = (&visited.outcomes, &home.counts.outcomes);
        wrong.push(format!("the VLR says {here:?}, the HLR {there:?}"));
    }
    let refused = visited
        .steered
        .count(Operation::UpdateLocation, End::Error(sim::ss7::map::code::ROAMING_NOT_ALLOWED));
    if refused == 0 || refused != visited.steered.total() {
        wrong.push(format!("steering refused {refused} of {:?}", visited.steered));
    }
    let answered = visited.outcomes.total() + visited.steered.total();
    if answered != visited.report.transactions {
        wrong.push(format!("{answered} outcomes of {} dialogues", visited.report.transactions));
    }
    for (who, faults) in [("VLR", &visited.faults), ("HLR", &home.counts.faults)] {
        if !faults.is_empty() {
            wrong.push(format!("the {who} found {faults:?}"));
        }
    }
    let unfinished = home.counts.late + home.counts.abandoned + home.outstanding as u64;
    if unfinished > 0 {
        wrong.push(format!("{unfinished} dialogues have no proper end at the HLR"));
    }
    wrong
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
