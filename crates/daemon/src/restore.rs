//! Going on where the run before ended: its records are read back and folded into steering's memory,
//! before the first message is taken.

use std::time::Instant;

use journal::{Key, Registration};
use policy::{Engine, Past, PastEnd};

/// Folds the last records of the journal's folder. What cannot be read is said and left: a gateway
/// that forgets starts all the same.
#[allow(clippy::disallowed_methods, reason = "how long it took is told")]
pub(crate) fn restore(engine: &Engine, settings: &config::JournalSettings, started_us: u64) {
    let Some(directory) = settings.directory.as_ref().filter(|_| settings.restore_s > 0) else {
        return;
    };
    // Where identities are in clear no key is needed to know whose a record is.
    let key = settings.pseudonym_key.or(settings.clear_identities.then_some([0; 32]));
    let Some(key) = key else {
        let help = "set `pseudonym_key_file` so that attempts and holds outlive a restart";
        tracing::warn!("steering begins afresh: pseudonyms of the run before are nobody's; {help}");
        return;
    };
    let begun = Instant::now();
    let from_us = started_us.saturating_sub(settings.restore_s * 1_000_000);
    let mut past = Vec::new();
    let tell = |registration: Registration| past.extend(as_past(&registration, started_us));
    match journal::past::registrations(directory, &Key::new(key), from_us, tell) {
        Ok(tally) => {
            if tally.registrations == 0 && tally.foreign == 0 {
                return;
            }
            engine.restore(past);
            let subscribers = engine.memory().in_use().subscribers;
            let took_ms = begun.elapsed().as_millis();
            let (registrations, unread, foreign) =
                (tally.registrations, tally.unread, tally.foreign);
            tracing::info!(
                registrations,
                subscribers,
                unread,
                foreign,
                took_ms,
                "steering goes on from the records of the run before"
            );
        }
        Err(error) => {
            let directory = directory.display();
            tracing::error!(%error, %directory, "records cannot be read back; steering begins afresh");
        }
    }
}

fn as_past(registration: &Registration, started_us: u64) -> Option<Past> {
    let end = match registration {
        Registration { steered: true, attempt, .. } if *attempt > 0 => {
            PastEnd::Refused { attempt: *attempt }
        }
        Registration { exit: Some(exit), .. } => PastEnd::GaveIn(*exit),
        Registration { success: true, .. } => PastEnd::Accepted,
        _ => return None,
    };
    Some(Past {
        age_ms: started_us.saturating_sub(registration.ended_us) / 1000,
        imsi: registration.imsi,
        visited: registration.visited,
        access: registration.access,
        domain: registration.domain,
        end,
    })
}
