//! The walk of messages whose two ends number their exchange themselves (TCAP): we stand between,
//! each message finds its way by its own address, and correlation is for the record.

use procedure::{
    Act, Code, Decision, Finish, LinkId, Procedure, Provenance, Refusal, Symbol, Verdict,
};

use crate::assembly::{Came, read};
use crate::core::Core;
use crate::dialogues::{Dialogue, Dialogues, Ticket};
use crate::index::Known;
use crate::reach::{Choice, SENDS_MAX, Tried, reach};
use crate::stack::{Arrival, Keys, Onward, Part, Stack};
use crate::walk::{decide, octets_u32, opened, provenance, refuse, stray, unreached};

/// What a message adds to its exchange's record, wherever that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The message ended the exchange: the result, and whether it is success.
    pub(crate) ended: Option<(Code, bool)>,
    /// How the other end numbers the exchange, now that it has said so.
    pub(crate) key: Option<u64>,
    /// Octets of the message as it left.
    pub(crate) octets: u32,
    /// Frames that it came in.
    pub(crate) frames: u32,
}

/// One message, from describe to record.
pub(crate) fn pass<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    view: &S::View<'_>,
    came: Came<'_>,
    part: Part,
    keys: &Keys,
) {
    let mut procedure = stack.describe(view, arrival);
    let open = match part {
        Part::Opens => keys.from.and_then(|key| core.board.index.find(key)),
        Part::Continues | Part::Ends => find(core, keys),
        Part::Alone => None,
    };
    if let Some(known) = &open {
        let (is_opener, is_asked) = ends(stack, core, arrival.link, known);
        if part == Part::Opens {
            procedure.repeat = true;
            // Back from where it was sent: who is there would send it to us again and again.
            procedure.looped |= is_asked && !is_opener;
        } else if !is_opener && !is_asked {
            return stray(stack, core, arrival, view, came);
        }
    }
    // What asks for nothing was decided when its exchange began.
    let asks = match part {
        Part::Opens | Part::Alone => true,
        Part::Continues | Part::Ends => procedure.act != Act::Transit,
    };
    core.count(arrival.link, |counters| &counters.requests_in, u64::from(asks));
    let is_decided = asks || procedure.spoofed || procedure.looped;
    let decision = if is_decided { decide(core, &procedure) } else { Decision::forward(None) };
    let generation = core.board.up(arrival.link).unwrap_or_default();
    let mut record = opened(core, &procedure, &decision, came);
    let group = match decision.verdict {
        Verdict::Refuse(refusal) => {
            record.provenance = provenance(&procedure, &decision, refusal);
            return refuse(stack, core, view, refusal, &mut record, generation);
        }
        Verdict::Discard => return core.finish(&mut record),
        Verdict::Forward { group } | Verdict::Delay { group, .. } => procedure.led.or(group),
    };
    if part == Part::Opens && open.is_none() {
        if !core.dialogues.has_room(arrival.link) || core.draining {
            record.provenance = Provenance::Limit;
            return refuse(stack, core, view, Refusal::Congestion, &mut record, generation);
        }
        let ticket = begin(core, came.octets, &procedure, record, group, keys.from, generation);
        if let Verdict::Delay { wait_ms, .. } = decision.verdict {
            return core.arm(ticket, arrival.stack, u64::from(wait_ms));
        }
        return send_opening(stack, core, ticket, view);
    }
    match send(stack, core, arrival.link, procedure.sequence, group, view) {
        Ok((to, octets)) => {
            let ended = (part == Part::Ends).then(|| stack.outcome(view));
            let key = keys.from.filter(|_| part == Part::Continues);
            let progress = Progress { ended, key, octets, frames: came.frames };
            core.count(to, |counters| &counters.frames_out, u64::from(came.frames) - 1);
            if let Some(known) = open {
                return tell(core, known.label, progress);
            }
            (record.code, record.success) = ended.unwrap_or_default();
            record.finish = Finish::Passed;
            record.to = Some(to);
            record.sends = 1;
            core.finish(&mut record);
        }
        Err(refusal) => {
            record.provenance = unreached(refusal);
            refuse(stack, core, view, refusal, &mut record, generation);
        }
    }
}

/// The exchange that a message belongs to: the end it goes to knows it by one number, the end it
/// comes from by another.
fn find(core: &Core, keys: &Keys) -> Option<Known> {
    [keys.to, keys.from].into_iter().flatten().find_map(|key| core.board.index.find(key))
}

/// Whether a link is the opener's of an exchange, and whether it is of those that were asked: nobody
/// else has a say in it.
fn ends<S: Stack>(stack: &S, core: &Core, link: LinkId, known: &Known) -> (bool, bool) {
    let asked = known.asked.and_then(|group| core.rules.group(group));
    let is_asked = asked.is_none_or(|group| group.members.iter().any(|member| member.link == link));
    (stack.stands_for(link, known.opener), is_asked)
}

fn begin(
    core: &mut Core,
    octets: &[u8],
    procedure: &Procedure<'_>,
    record: procedure::Record,
    group: Option<Symbol>,
    key: Option<u64>,
    generation: u32,
) -> Ticket {
    let ticket = core.dialogues.open(octets, |request| Dialogue {
        request,
        asker_label: 0,
        check: 0,
        asker_generation: generation,
        named: None,
        group,
        sequence: procedure.sequence,
        passes: true,
        keys: [key, None],
        hide_origin: false,
        tried: Tried::default(),
        sent: None,
        timer: None,
        record,
    });
    if let Some(key) = key {
        let label = core.dialogues.label(ticket);
        core.board.index.insert(key, Known { label, opener: procedure.from, asked: group });
    }
    ticket
}

/// **reach** and **rewrite** an opening message; gives it back where nothing can be reached.
fn send_opening<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket, view: &S::View<'_>) {
    let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
    let (from, group, sequence) = (dialogue.record.from, dialogue.group, dialogue.sequence);
    let stack_id = dialogue.record.stack;
    match send(stack, core, from, sequence, group, view) {
        Ok((to, _)) => {
            core.arm(ticket, stack_id, stack.patience_ms());
            let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
            dialogue.record.to = Some(to);
            dialogue.record.sends = 1;
            let frames = u64::from(dialogue.record.frames);
            core.count(to, |counters| &counters.frames_out, frames - 1);
        }
        Err(refusal) => {
            let Some(mut closed) = core.close(ticket) else { return };
            closed.record.provenance = unreached(refusal);
            let generation = closed.asker_generation;
            refuse(stack, core, view, refusal, &mut closed.record, generation);
            core.dialogues.recycle(ticket, closed);
        }
    }
}

/// **reach** and **rewrite**: the link it went over and its octets as they left.
fn send<S: Stack>(
    stack: &S,
    core: &mut Core,
    from: LinkId,
    sequence: Option<u8>,
    group: Option<Symbol>,
    view: &S::View<'_>,
) -> Result<(LinkId, u32), Refusal> {
    if core.stopping {
        return Err(Refusal::Unroutable);
    }
    if group.is_some_and(|group| stack.is_broadcast(group)) {
        return broadcast(stack, core, from, group, view);
    }
    let mut tried = Tried::default();
    // A link may die between the choice and the sending: then the choice is made again.
    for _ in 0..SENDS_MAX {
        let members = group.and_then(|group| core.rules.group(group));
        let choice = Choice {
            from,
            named: None,
            group: members,
            tried: &tried,
            light: false,
            sequence,
            posts: &core.posts,
        };
        let carries = |link| stack.carries(link, group);
        let (to, generation) = reach(&core.board, &mut core.rng, &choice, carries)?;
        let onward = Onward::Pass { to, group };
        let write = |out: &mut Vec<u8>| stack.rewrite(view, &onward, out);
        if let Some(octets) = core.send(to, generation, write) {
            return Ok((to, octets_u32(octets)));
        }
        tried.push(to);
    }
    Err(Refusal::Unroutable)
}

/// To every link of the group that carries its traffic.
//= RFC 4666 §4.3.4.3
fn broadcast<S: Stack>(
    stack: &S,
    core: &mut Core,
    from: LinkId,
    group: Option<Symbol>,
    view: &S::View<'_>,
) -> Result<(LinkId, u32), Refusal> {
    let rules = std::sync::Arc::clone(&core.rules);
    let mut sent = Err(Refusal::Unroutable);
    for member in group.and_then(|group| rules.group(group)).map_or(&[][..], |all| &all.members) {
        let to = member.link;
        let Some(generation) = core.board.up(to) else { continue };
        if to == from || !stack.carries(to, group) {
            continue;
        }
        let onward = Onward::Pass { to, group };
        let write = |out: &mut Vec<u8>| stack.rewrite(view, &onward, out);
        if let Some(octets) = core.send(to, generation, write) {
            sent = Ok((to, octets_u32(octets)));
        }
    }
    sent
}

/// Takes the news to where the exchange's record is.
fn tell(core: &mut Core, label: u32, progress: Progress) {
    let owner = Dialogues::owner(label);
    if owner != core.worker {
        return core.post_progress(owner, label, progress);
    }
    go_on(core, label, progress);
}

/// A message of an exchange of ours went on.
pub(crate) fn go_on(core: &mut Core, label: u32, progress: Progress) {
    let ticket = Dialogues::ticket(label);
    let Some(dialogue) = core.dialogues.get_mut(ticket).filter(|dialogue| dialogue.passes) else {
        return;
    };
    dialogue.record.frames = dialogue.record.frames.saturating_add(progress.frames);
    dialogue.record.answer_octets = dialogue.record.answer_octets.saturating_add(progress.octets);
    let known = Known { label, opener: dialogue.record.from, asked: dialogue.group };
    if let (Some(key), [Some(first), None]) = (progress.key, dialogue.keys)
        && key != first
        && core.board.index.insert(key, known)
    {
        dialogue.keys = [Some(first), Some(key)];
    }
    let Some((code, success)) = progress.ended else { return };
    let Some(mut closed) = core.close(ticket) else { return };
    let record = &mut closed.record;
    (record.code, record.success) = (code, success);
    record.finish = Finish::Answered;
    record.provenance = if success { Provenance::None } else { Provenance::Relayed };
    core.finish(record);
    core.dialogues.recycle(ticket, closed);
}

/// Nothing more was heard of it, or its wait to be sent is over.
pub(crate) fn expire<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket) {
    let Some(dialogue) = core.dialogues.get_mut(ticket) else { return };
    dialogue.timer = None;
    if let Some(to) = dialogue.record.to {
        core.count(to, |counters| &counters.expiries, 1);
        return give_up(stack, core, ticket, Finish::Expired);
    }
    let request = std::mem::take(&mut dialogue.request);
    if let Ok(view) = read(stack, &request, &mut Vec::new()) {
        send_opening(stack, core, ticket, &view);
    }
    if let Some(dialogue) = core.dialogues.get_mut(ticket) {
        dialogue.request = request;
    }
}

/// Ends an exchange that nothing more will be heard of, and tells its opener where so configured.
pub(crate) fn give_up<S: Stack>(stack: &S, core: &mut Core, ticket: Ticket, finish: Finish) {
    let Some(mut closed) = core.close(ticket) else { return };
    let Dialogue { record, request, asker_generation, .. } = &mut *closed;
    record.finish = finish;
    record.provenance = Provenance::Expired;
    if let Ok(view) = read(stack, request, &mut Vec::new()) {
        let write = |out: &mut Vec<u8>| record.code = stack.abandon(&view, out);
        let octets = core.send(record.from, *asker_generation, write).unwrap_or_default();
        record.answer_octets = record.answer_octets.saturating_add(octets_u32(octets));
    }
    core.finish(record);
    core.dialogues.recycle(ticket, closed);
}
