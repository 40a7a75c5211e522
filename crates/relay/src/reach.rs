//! Which live link of the chosen group; the next one on failure.

use procedure::{Group, LinkId, Member, Refusal};

use crate::{Board, Post, Rng};

/// Links one exchange is sent over before its asker is told that nobody could be reached.
pub(crate) const SENDS_MAX: usize = 4;

/// Octets that may wait on a link before others of its group are preferred to it.
pub(crate) const LINK_HIGH_OCTETS: u32 = 1 << 20;

/// An asker with at most so many exchanges open may still use a link on which twice as much waits:
/// whoever floods a slow home is refused there before those who ask it little.
pub(crate) const LIGHT_ASKER_MAX: u32 = 64;

/// The links an exchange has been sent over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    links: [Option<LinkId>; SENDS_MAX],
    count: u8,
}

impl Tried {
    pub(crate) fn push(&mut self, link: LinkId) {
        if let Some(slot) = self.links.get_mut(usize::from(self.count)) {
            *slot = Some(link);
            self.count += 1;
        }
    }

    pub(crate) fn count(&self) -> u8 {
        self.count
    }

    fn contains(&self, link: LinkId) -> bool {
        self.links.iter().flatten().any(|tried| *tried == link)
    }

    fn is_full(&self) -> bool {
        usize::from(self.count) == SENDS_MAX
    }
}

/// What the choice is made from.
pub(crate) struct Choice<'a> {
    /// The asker's link: an exchange never goes back where it came from.
    pub(crate) from: LinkId,
    /// The link of the very node that was asked.
    pub(crate) named: Option<LinkId>,
    /// The group that a route chose.
    pub(crate) group: Option<&'a Group>,
    /// Links it has been sent over.
    pub(crate) tried: &'a Tried,
    /// The asker has few exchanges open; see [`LIGHT_ASKER_MAX`].
    pub(crate) light: bool,
    /// Messages of one value go over the same member while it lives.
    pub(crate) sequence: Option<u8>,
    /// By worker: what is bound for its links and has not left yet. Link `i` is worker `i % n`'s.
    pub(crate) posts: &'a [Post],
}

impl Choice<'_> {
    /// Whether the post to a link's worker takes no more.
    fn is_cut_off(&self, link: LinkId) -> bool {
        let owner = (link.0 as usize).checked_rem(self.posts.len());
        owner.and_then(|owner| self.posts.get(owner)).is_some_and(Post::is_full)
    }
}

/// The link to send over and its generation. One whose peer let an exchange expire and said nothing
/// since is taken only where there is no other: long before the watchdog is sure that it is dead.
///
/// # Errors
/// [`Refusal::Unroutable`] when nothing live is left, [`Refusal::Congestion`] when all that is
/// live has too much waiting.
//= RFC 6733 §6.1.4
//= RFC 6733 §6.1.6
pub(crate) fn reach(
    board: &Board,
    rng: &mut Rng,
    choice: &Choice<'_>,
    carries: impl Fn(LinkId) -> bool,
) -> Result<(LinkId, u32), Refusal> {
    if choice.tried.is_full() {
        return Err(Refusal::Unroutable);
    }
    let members = choice.group.map_or(&[][..], |group| &group.members);
    if choice.sequence.is_none() && members.iter().any(|member| board.is_silent(member.link)) {
        let talks = |link| carries(link) && (choice.named == Some(link) || !board.is_silent(link));
        if let Ok(found) = among(board, rng, choice, talks) {
            return Ok(found);
        }
    }
    among(board, rng, choice, carries)
}

fn among(
    board: &Board,
    rng: &mut Rng,
    choice: &Choice<'_>,
    carries: impl Fn(LinkId) -> bool,
) -> Result<(LinkId, u32), Refusal> {
    let live = |link: LinkId| {
        let usable = link != choice.from && !choice.tried.contains(link) && carries(link);
        usable.then(|| board.up(link)).flatten()
    };
    let room_octets = if choice.light { 2 * LINK_HIGH_OCTETS } else { LINK_HIGH_OCTETS };
    let has_room =
        |link: LinkId| board.waiting_octets(link) < room_octets && !choice.is_cut_off(link);
    let mut congested = false;
    if let Some((link, generation)) = choice.named.and_then(|link| Some((link, live(link)?))) {
        if has_room(link) {
            return Ok((link, generation));
        }
        congested = true;
    }
    let mut rest = choice.group.map_or(&[][..], |group| &group.members);
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|member| member.priority == first.priority).count();
        let (tier, lower) = rest.split_at(same);
        rest = lower;
        // One look at each member: the n-th usable one takes the place of those before it with the
        // chance of its own weight among all so far, which is what a draw by weight gives.
        let (mut total, mut chosen) = (0, None);
        if let Some(sequence) = choice.sequence {
            chosen = in_sequence(tier, sequence, |link| live(link).filter(|_| has_room(link)));
            congested |= chosen.is_none() && tier.iter().any(|member| live(member.link).is_some());
        }
        for member in tier.iter().filter(|_| choice.sequence.is_none()) {
            let Some(generation) = live(member.link) else { continue };
            if !has_room(member.link) {
                congested = true;
                continue;
            }
            let weight = u64::from(member.weight.max(1));
            total += weight;
            if weight == total || rng.below(total) < weight {
                chosen = Some((member.link, generation));
            }
        }
        if let Some(chosen) = chosen {
            return Ok(chosen);
        }
    }
    Err(if congested { Refusal::Congestion } else { Refusal::Unroutable })
}

/// The usable member whose share of the values `sequence` falls into: the same one as long as the
/// usable members are the same.
//= RFC 4666 §1.4.7
fn in_sequence(
    tier: &[Member],
    sequence: u8,
    usable: impl Fn(LinkId) -> Option<u32>,
) -> Option<(LinkId, u32)> {
    let shares = || {
        tier.iter().filter_map(|member| {
            Some((member.link, usable(member.link)?, u32::from(member.weight.max(1))))
        })
    };
    let total: u32 = shares().map(|(_, _, weight)| weight).sum();
    let mut place = u32::from(sequence).checked_rem(total)?;
    shares().find_map(|(link, generation, weight)| {
        let before = place;
        place = place.saturating_sub(weight);
        (before < weight).then_some((link, generation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: &[(u32, u16, u16)]) -> Group {
        let member = |&(link, priority, weight)| Member { link: LinkId(link), priority, weight };
        Group { members: members.iter().map(member).collect() }
    }

    fn choose(
        board: &Board,
        group: &Group,
        named: Option<u32>,
        tried: &Tried,
    ) -> Result<u32, Refusal> {
        let choice = Choice {
            from: LinkId(0),
            named: named.map(LinkId),
            group: Some(group),
            tried,
            light: false,
            sequence: None,
            posts: &[],
        };
        reach(board, &mut Rng::new(1), &choice, |_| true).map(|(link, _)| link.0)
    }

    #[test]
    fn lower_priority_number_first_then_the_next() {
        let board = Board::new(5);
        let group = group(&[(1, 1, 1), (2, 1, 1), (3, 2, 1)]);
        let mut tried = Tried::default();
        assert_eq!(choose(&board, &group, None, &tried), Err(Refusal::Unroutable));
        board.set_up(LinkId(3), true);
        assert_eq!(choose(&board, &group, None, &tried), Ok(3));
        board.set_up(LinkId(2), true);
        assert_eq!(choose(&board, &group, None, &tried), Ok(2));
        tried.push(LinkId(2));
        assert_eq!(choose(&board, &group, None, &tried), Ok(3));
        board.set_waiting_octets(LinkId(3), LINK_HIGH_OCTETS as usize);
        assert_eq!(choose(&board, &group, None, &tried), Err(Refusal::Congestion));
    }

    #[test]
    fn who_fell_silent_is_asked_when_there_is_nobody_else() {
        let board = Board::new(4);
        let group = group(&[(1, 1, 9), (2, 1, 1), (3, 2, 1)]);
        let mut tried = Tried::default();
        (1..4).for_each(|link| _ = board.set_up(LinkId(link), true));
        board.set_silent(LinkId(1), true);
        assert_eq!(choose(&board, &group, None, &tried), Ok(2));
        assert_eq!(choose(&board, &group, Some(1), &tried), Ok(1), "asked for by name");
        board.set_silent(LinkId(2), true);
        assert_eq!(choose(&board, &group, None, &tried), Ok(3), "of lower priority");
        tried.push(LinkId(3));
        assert!(matches!(choose(&board, &group, None, &tried), Ok(1 | 2)));
        board.set_silent(LinkId(1), false);
        assert_eq!(choose(&board, &group, None, &tried), Ok(1));
    }

    #[test]
    fn the_named_node_wins_when_it_is_up_and_never_the_asker() {
        let board = Board::new(5);
        let group = group(&[(0, 0, 9), (1, 1, 1)]);
        board.set_up(LinkId(0), true);
        board.set_up(LinkId(1), true);
        assert_eq!(choose(&board, &group, Some(4), &Tried::default()), Ok(1));
        board.set_up(LinkId(4), true);
        assert_eq!(choose(&board, &group, Some(4), &Tried::default()), Ok(4));
        assert_eq!(choose(&board, &group, Some(0), &Tried::default()), Ok(1));
    }

    #[test]
    fn who_asks_little_passes_who_floods() {
        let board = Board::new(2);
        board.set_up(LinkId(1), true);
        let (group, tried) = (group(&[(1, 1, 1)]), Tried::default());
        let ask = |light| {
            let group = Some(&group);
            let choice = Choice {
                from: LinkId(0),
                named: None,
                group,
                tried: &tried,
                light,
                sequence: None,
                posts: &[],
            };
            reach(&board, &mut Rng::new(1), &choice, |_| true).map(|(link, _)| link.0)
        };
        board.set_waiting_octets(LinkId(1), LINK_HIGH_OCTETS as usize);
        assert_eq!((ask(false), ask(true)), (Err(Refusal::Congestion), Ok(1)));
        board.set_waiting_octets(LinkId(1), 2 * LINK_HIGH_OCTETS as usize);
        assert_eq!(ask(true), Err(Refusal::Congestion));
    }

    #[test]
    fn one_sequence_stays_on_one_member_and_all_members_are_used() {
        let board = Board::new(4);
        let group = group(&[(1, 1, 1), (2, 1, 2), (3, 2, 1)]);
        let tried = Tried::default();
        let choose = |sequence| {
            let choice = Choice {
                from: LinkId(0),
                named: None,
                group: Some(&group),
                tried: &tried,
                light: false,
                sequence: Some(sequence),
                posts: &[],
            };
            reach(&board, &mut Rng::new(1), &choice, |_| true).map(|(link, _)| link.0)
        };
        assert_eq!(choose(0), Err(Refusal::Unroutable));
        for link in 1..4 {
            board.set_up(LinkId(link), true);
        }
        let links: Vec<_> = (0..6).map(choose).collect();
        assert_eq!(links, [Ok(1), Ok(2), Ok(2), Ok(1), Ok(2), Ok(2)]);
        board.set_up(LinkId(2), false);
        assert_eq!((choose(0), choose(1)), (Ok(1), Ok(1)));
        board.set_up(LinkId(1), false);
        assert_eq!(choose(5), Ok(3));
    }

    #[test]
    fn weights_are_shares() {
        let board = Board::new(3);
        board.set_up(LinkId(1), true);
        board.set_up(LinkId(2), true);
        let group = group(&[(1, 1, 30), (2, 1, 10)]);
        let mut rng = Rng::new(42);
        let tried = Tried::default();
        let choice = Choice {
            from: LinkId(0),
            named: None,
            group: Some(&group),
            tried: &tried,
            light: false,
            sequence: None,
            posts: &[],
        };
        let mut first = 0;
        for _ in 0..10_000 {
            first +=
                u32::from(reach(&board, &mut rng, &choice, |_| true).expect("up").0 == LinkId(1));
        }
        assert!(
            (7_300..7_700).contains(&first),
            "{first} of 10000 to the one with weight 30 of 40"
        );
    }
}
