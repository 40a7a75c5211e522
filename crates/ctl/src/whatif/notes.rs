//! What a replay assumes and what it cannot know, in words.

use super::report::Replay;
use super::side::Side;

/// The footnotes.
pub(crate) fn notes(replay: &Replay<'_>, assumed: usize) -> Vec<String> {
    let reading = &replay.traffic.reading;
    let mut notes = vec![
        "both policies replay the records with nothing remembered but who is held at their start; \
         `in force` is what it would do, not what was recorded"
            .to_owned(),
        format!("the records themselves tell of {} refused by steering", reading.refused_then),
        "refused then and accepted now: served there, the home network being taken to agree; further \
         recorded registrations until it was accepted, at most 120 s, are passed over"
            .to_owned(),
        format!(
            "accepted then and refused now: the device turns up on a preferred network after 10 s or \
             asks again every 10 s; which, is drawn for each subscriber by what refused devices did \
             in the records ({}), to which network likewise, or by the plan's shares where the records do \
             not know all of its first tier; who insisted then insists",
            if assumed == 0 {
                "seen for all networks".to_owned()
            } else {
                format!(
                    "assumed to be {} of 100 for {assumed} network(s) with fewer than {} trials",
                    replay.moves_pct,
                    super::moves::TRIALS_MIN
                )
            }
        ),
        "barred: nothing is assumed of where the device turns then".to_owned(),
        "extra signalling: registrations refused by steering and the authentications up to 10 s before them, of \
         100 exchanges without them"
            .to_owned(),
        if reading.capture {
            "an answer `roaming not allowed` is taken for steering's; who refused for another reason \
             with the same code is among them"
        } else {
            "areas are told apart by the link that a record names; devices and nodes behind a link are \
             not in records, so rules on them are not judged"
        }
        .to_owned(),
    ];
    let mut count = |number: u64, what: &str| {
        if number > 0 {
            notes.push(format!("{number} {what}"));
        }
    };
    count(
        reading.made_up,
        "subscriber(s) are known by a pseudonym of another key: their home network is judged, rules by \
         range of IMSI are not",
    );
    count(reading.unnamed, "registration(s) name no subscriber or no home network: passed over");
    count(reading.screened, "registration(s) were refused by screening then: passed over");
    count(reading.left_out, "registration(s) past the limit were not replayed");
    count(
        reading.unanswered,
        "registration(s) of the capture have no answer in it: nothing is learned",
    );
    count(
        reading.segments,
        "segment(s) of longer messages are not put together and were passed over",
    );
    count(reading.second_legs, "request(s) are in the capture twice: counted once");
    count(full(&replay.in_force), "registration(s) in force found steering's memory full");
    count(full(&replay.tried), "registration(s) tried found steering's memory full");
    count(replay.tried.tally.given_up, "device(s) would insist in vain");
    if reading.torn {
        notes.push("the capture ends in the middle of a frame".to_owned());
    }
    notes
}

fn full(side: &Side<'_>) -> u64 {
    side.engine.memory().in_use().full
}
