//! The walk: the only place that knows the order of the rooms. Forward only.

use procedure::{
    Code, Decision, Finish, LinkId, Malformed, Procedure, Provenance, Record, Refusal, Verdict,
};

use crate::assembly::{self, Came, head, read};
use crate::core::Core;
use crate::dialogues::{Dialogue, Dialogues, Ticket};
use crate::pass;
use crate::reach::{Choice, LIGHT_ASKER_MAX, SENDS_MAX, Tried, reach};
use crate::stack::{Arrival, Exchange, Onward, Stack};

/// One whole frame of traffic, from view to record.
pub(crate) fn walk<S: Stack>(stack: &S, core: &mut Core, arrival: &Arrival, frame: &[u8]) {
    match stack.view(frame) {
        Ok(view) => match stack.segment(&view) {
            None => attend(stack, core, arrival, &view, Came::one(frame)),
            Some(segment) => assembly::take(stack, core, arrival, frame, &segment),
        },
        Err(malformed) => complain(stack, core, arrival, Came::one(frame), malformed),
    }
}

/// One whole message, from correlate to record.
pub(crate) fn attend<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    view: &S::View<'_>,
    came: Came<'_>,
) {
    match stack.correlate(view) {
        Exchange::Opens { label, check } => {
            core.count(arrival.link, |counters| &counters.requests_in, 1);
            let procedure = stack.describe(view, arrival);
            let decision = decide(core, &procedure);
            let mut record = opened(core, &procedure, &decision, came);
            let generation = core.board.up(arrival.link).unwrap_or_default();
            match decision.verdict {
                Verdict::Refuse(refusal) => {
                    record.provenance = provenance(&procedure, &decision, refusal);
                    refuse(stack, core, view, refusal, &mut record, generation);
                }
                Verdict::Discard => core.finish(&mut record),
                Verdict::Forward { group } | Verdict::Delay { group, .. } => {
                    if !core.dialogues.has_room(arrival.link) || core.draining {
                        record.provenance = Provenance::Limit;
                        let refusal = Refusal::Congestion;
                        return refuse(stack, core, view, refusal, &mut record, generation);
                    }
                    let ticket = core.dialogues.open(came.octets, |request| Dialogue {
                        request,
                        asker_label: label,
                        check,
                        asker_generation: generation,
                        named: procedure.named,
                        group,
                        sequence: procedure.sequence,
                        passes: false,
                        keys: [None; 2],
                        hide_origin: decision.edits.hide_origin,
                        tried: Tried::default(),
                        sent: None,
                        timer: None,
                        record,
                    });
                    if let Verdict::Delay { wait_ms, .. } = decision.verdict {
                        return core.arm(ticket, arrival.stack, u64::from(wait_ms));
                    }
                    core.arm(ticket, arrival.stack, core.request_timeout_ms);
                    forward(stack, core, ticket, view);
                }
            }
        }
        Exchange::Passes { part, keys } => {
            pass::pass(stack, core, arrival, view, came, part, &keys);
        }
        Exchange::Closes { label, check } => {
            close(stack, core, arrival, view, came, label, check);
        }
    }
}

/// **decide**, after what no rule may overrule.
pub(crate) fn decide(core: &Core, procedure: &Procedure<'_>) -> Decision {
    let refuse =
        |refusal| Decision { verdict: Verdict::Refuse(refusal), ..Decision::forward(None) };
    if procedure.looped {
        return refuse(Refusal::Loop);
    }
    if procedure.spoofed {
        return refuse(Refusal::Unauthorised);
    }
    core.rules.decide(core.now, procedure)
}

/// **reach** and **rewrite** an open exchange; answers it where nothing can be reached.
fn forward<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket, view: &S::View<'_>) {
    let label = core.dialogues.label(ticket);
    let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
    let asker = dialogue.record.from;
    let resent = dialogue.tried.count() > 0;
    let onward = Onward::Request { label, asker, resent, hide_origin: dialogue.hide_origin };
    // A link may die between the choice and the sending: then the choice is made again.
    let sent = (0..SENDS_MAX).find_map(|_| match choose(core, ticket) {
        Ok((link, generation)) => {
            let write = |out: &mut Vec<u8>| stack.rewrite(view, &onward, out);
            core.send(link, generation, write).map(|_| Ok((link, generation)))
        }
        Err(refusal) => Some(Err(refusal)),
    });
    match sent.unwrap_or(Err(Refusal::Unroutable)) {
        Ok(sent) => core.set_sent(ticket, Some(sent)),
        Err(refusal) => {
            let Some(mut closed) = core.close(ticket) else { return };
            closed.record.provenance = unreached(refusal);
            let generation = closed.asker_generation;
            refuse(stack, core, view, refusal, &mut closed.record, generation);
            core.dialogues.recycle(ticket, closed);
        }
    }
}

/// **reach**, for an open exchange.
fn choose(core: &mut Core, ticket: Ticket) -> Result<(LinkId, u32), Refusal> {
    let mut lot = core.lot.draw(&mut core.rng);
    let dialogue = core.dialogues.get_mut(ticket).filter(|_| !core.stopping);
    let Some(dialogue) = dialogue else { return Err(Refusal::Unroutable) };
    let group = dialogue.group.and_then(|group| core.rules.group(group));
    let (from, named, tried) = (dialogue.record.from, dialogue.named, dialogue.tried);
    let light = core.dialogues.open_by(from) <= LIGHT_ASKER_MAX;
    let (tried, posts) = (&tried, &core.posts);
    let choice = Choice { from, named, group, tried, light, sequence: None, posts };
    reach(&core.board, &mut lot, &choice, |_| true)
}

/// **answer**, by ourselves.
pub(crate) fn refuse<S: Stack>(
    stack: &S,
    core: &mut Core,
    view: &S::View<'_>,
    refusal: Refusal,
    record: &mut Record,
    generation: u32,
) {
    if record.finish != Finish::Expired {
        record.finish = Finish::Refused;
    }
    let mut code = Code::None;
    let octets = core.send(record.from, generation, |out| code = stack.answer(view, refusal, out));
    record.code = code;
    // Where the protocol has no answer, silence was the answer.
    let Some(octets) = octets else { return undelivered(core, record) };
    if octets == 0 {
        record.finish = Finish::Discarded;
    }
    record.answer_octets = octets_u32(octets);
    core.finish(record);
}

/// **record** alone, for a request that its link has refused because it is not open for traffic.
/// Nothing is decided on: it counts as no attempt.
pub(crate) fn refused<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    frame: &[u8],
    (code, octets): (Code, u32),
) {
    let came = Came::one(frame);
    let mut record = match stack.view(frame) {
        Ok(view) => opened(core, &stack.describe(&view, arrival), &Decision::forward(None), came),
        Err(_) => bare(core, arrival, came, Finish::Refused),
    };
    (record.finish, record.provenance) = (Finish::Refused, Provenance::Limit);
    (record.code, record.answer_octets) = (code, octets);
    core.count(arrival.link, |counters| &counters.requests_in, 1);
    core.finish(&mut record);
}

/// **rewrite**, for the answer that closes an exchange of ours; anything else is a stray.
fn close<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    view: &S::View<'_>,
    came: Came<'_>,
    label: u32,
    check: u64,
) {
    let owner = Dialogues::owner(label);
    if owner != core.worker && owner.0 < core.workers {
        return core.post_answer(owner, arrival.link, came.octets);
    }
    let ticket = Dialogues::ticket(label);
    let expected = core.dialogues.get_mut(ticket).is_some_and(|dialogue| {
        dialogue.check == check && dialogue.sent.is_some_and(|(link, _)| link == arrival.link)
    });
    let closed = if expected && owner == core.worker { core.close(ticket) } else { None };
    let Some(mut closed) = closed else { return stray(stack, core, arrival, view, came) };
    let Dialogue { record, asker_label, asker_generation, .. } = &mut *closed;
    (record.code, record.success) = stack.outcome(view);
    record.finish = Finish::Answered;
    record.frames += 1;
    record.provenance = if record.success { Provenance::None } else { Provenance::Relayed };
    let onward = Onward::Answer { label: *asker_label };
    let write = |out: &mut Vec<u8>| stack.rewrite(view, &onward, out);
    match core.send(record.from, *asker_generation, write) {
        Some(octets) => {
            record.answer_octets = octets_u32(octets);
            core.finish(record);
        }
        None => undelivered(core, record),
    }
    core.dialogues.recycle(ticket, closed);
}

/// An exchange's wait is over: it is sent now if it was only waiting for that, else it is answered
/// for the peer that did not, through the same verb as every other refusal.
pub(crate) fn expire<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket) {
    let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
    if dialogue.passes {
        return pass::expire(stack, core, ticket);
    }
    dialogue.timer = None;
    let (sent, stack_id) = (dialogue.sent, dialogue.record.stack);
    let Some((over, _)) = sent else {
        core.arm(ticket, stack_id, core.request_timeout_ms);
        return reroute(stack, core, ticket);
    };
    core.count(over, |counters| &counters.expiries, 1);
    core.board.set_silent(over, true);
    let Some(mut closed) = core.close(ticket) else { return };
    let Dialogue { record, request, asker_generation, .. } = &mut *closed;
    record.finish = Finish::Expired;
    record.provenance = Provenance::Expired;
    if let Ok(view) = read(stack, request, &mut Vec::new()) {
        refuse(stack, core, &view, Refusal::Unroutable, record, *asker_generation);
    }
    core.dialogues.recycle(ticket, closed);
}

/// The link that an exchange waits on has died, or all are about to end: the next one, or an answer.
//= RFC 6733 §5.5.4
pub(crate) fn reroute<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket) {
    let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
    if dialogue.passes {
        // Only when all are about to end: what passed a dead link goes on over the next one.
        return pass::give_up(stack, core, ticket, Finish::Discarded);
    }
    let request = std::mem::take(&mut dialogue.request);
    if let Some((link, _)) = dialogue.sent {
        core.count(link, |counters| &counters.failovers, u64::from(!core.stopping));
        core.set_sent(ticket, None);
    }
    if let Ok(view) = read(stack, &request, &mut Vec::new()) {
        forward(stack, core, ticket, &view);
    }
    if let Some(dialogue) = core.dialogues.get_mut(ticket) {
        dialogue.request = request;
    }
}

/// A frame that cannot be read: counted, answered where the protocol can, its own record.
pub(crate) fn complain<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    came: Came<'_>,
    malformed: Malformed,
) {
    core.count(arrival.link, |counters| &counters.malformed_in, 1);
    let mut record = bare(core, arrival, came, Finish::Malformed(malformed));
    if let Some(generation) = core.board.up(arrival.link) {
        let frame = head(stack, came.octets);
        let write = |out: &mut Vec<u8>| record.code = stack.complain(frame, &malformed, out);
        let octets = core.send(arrival.link, generation, write);
        record.answer_octets = octets_u32(octets.unwrap_or_default());
    }
    core.finish(&mut record);
}

/// An answer nobody waits for, or not from there: counted and recorded, never forwarded.
pub(crate) fn stray<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    view: &S::View<'_>,
    came: Came<'_>,
) {
    core.count(arrival.link, |counters| &counters.strays_in, 1);
    let mut record = bare(core, arrival, came, Finish::Stray);
    (record.code, record.success) = stack.outcome(view);
    core.finish(&mut record);
}

/// The asker is no longer there to be told.
fn undelivered(core: &mut Core, record: &mut Record) {
    core.count(record.from, |counters| &counters.undelivered, 1);
    record.finish = Finish::Discarded;
    core.finish(record);
}

/// Why **reach** found nothing.
pub(crate) const fn unreached(refusal: Refusal) -> Provenance {
    match refusal {
        Refusal::Congestion => Provenance::Limit,
        _ => Provenance::Unroutable,
    }
}

pub(crate) fn provenance(
    procedure: &Procedure<'_>,
    decision: &Decision,
    refusal: Refusal,
) -> Provenance {
    match refusal {
        Refusal::Loop if procedure.looped => Provenance::Protocol,
        _ if procedure.spoofed => Provenance::Screening,
        _ => decision.provenance(),
    }
}

/// A record in the making.
pub(crate) fn opened(
    core: &Core,
    procedure: &Procedure<'_>,
    decision: &Decision,
    came: Came<'_>,
) -> Record {
    Record {
        frames: came.frames,
        request_octets: octets_u32(came.octets.len()),
        ..Record::opening(procedure, decision, core.worker)
    }
}

/// The record of a frame that opens nothing.
pub(crate) fn bare(core: &Core, arrival: &Arrival, came: Came<'_>, finish: Finish) -> Record {
    let procedure = Procedure::unknown(arrival.stack, arrival.link, arrival.time);
    Record {
        finish,
        provenance: Provenance::Protocol,
        ..opened(core, &procedure, &Decision::forward(None), came)
    }
}

pub(crate) fn octets_u32(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
