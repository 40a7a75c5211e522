//! An [`Explanation`] in words that somebody new understands.

use std::fmt;

use crate::explain::{Explanation, RuleTrace, Said};

/// Most rules of a stage that came close and are told.
const CLOSE_MAX: usize = 5;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        writeln!(f)?;
        let place = |place: &Option<crate::explain::Place>| {
            place.as_ref().map_or("not known".to_owned(), |place| place.name.clone())
        };
        writeln!(f, "  customer  {}", self.customer.as_deref().unwrap_or("none of ours"))?;
        writeln!(f, "  home      {}", place(&self.home))?;
        writeln!(f, "  visited   {}", place(&self.visited))?;
        if let Some(device) = self.device {
            writeln!(f, "  device    {device}")?;
        }
        writeln!(f, "\nBecause, in order:")?;
        if self.because.is_empty() {
            writeln!(f, "  no rule spoke")?;
        }
        for said in &self.because {
            writeln!(f, "  {:<7} {:<32} {}", said.stage, said.rule, sentence(said, self.attempt))?;
        }
        for stage in &self.stages {
            let mut close: Vec<&RuleTrace> = stage.rules.iter().filter(|rule| rule.close).collect();
            // The further a rule got, the more it has to do with the question.
            close.sort_by_key(|rule| {
                std::cmp::Reverse(rule.conditions.iter().position(|c| !c.holds))
            });
            close.truncate(CLOSE_MAX);
            if close.is_empty() || !stage.reached {
                continue;
            }
            writeln!(f, "\nCame close in {}:", stage.stage)?;
            for rule in close {
                write_close(f, rule)?;
            }
        }
        Ok(())
    }
}

impl Explanation {
    fn headline(&self) -> String {
        match (self.verdict, self.refusal, &self.group) {
            ("refuse", Some(refusal), _) => format!("REFUSED, {refusal}"),
            ("discard", ..) => "DISCARDED: nobody gets an answer".to_owned(),
            (_, _, Some(group)) => format!("FORWARDED to group {group}"),
            _ => "FORWARDED only where its own address leads: no route matches".to_owned(),
        }
    }
}

fn write_close(f: &mut fmt::Formatter<'_>, rule: &RuleTrace) -> fmt::Result {
    for check in rule.conditions.iter().filter(|check| !check.holds) {
        writeln!(
            f,
            "  {:<40} {} is {}, the rule wants {}",
            rule.rule, check.field, check.actual, check.expected
        )?;
    }
    Ok(())
}

fn sentence(said: &Said, attempt: u8) -> String {
    let detail = said.detail.as_deref().unwrap_or_default();
    match said.outcome {
        "refuse" if said.stage == "steer" => {
            format!("refuses ({detail}), attempt {attempt} on this network")
        }
        "refuse" => format!("refuses ({detail})"),
        "would-refuse" => format!("would refuse ({detail}), but only observes"),
        "preferred" => "accepts: the network is a preferred one".to_owned(),
        "settled" => "accepts: the subscriber was accepted here before and is held".to_owned(),
        "exit" => format!("gives in and holds ({}), after {attempt} here", exit_words(detail)),
        "resend" => {
            "says again what it said: no handset asks again so soon, the network insists".to_owned()
        }
        "override" => "holds, with its own terms".to_owned(),
        "barred" => "bars this network: nobody roams here".to_owned(),
        "learned" => format!("knows: of 100 refused here, {detail} turn up on a preferred network"),
        "replay" => "says again what it said: the message is a repeat".to_owned(),
        "to" => format!("leads to group {detail}"),
        _ => "accepts".to_owned(),
    }
}

fn exit_words(exit: &str) -> &str {
    match exit {
        "attempts" => "the refusals on this network are used up",
        "total" => "the refusals of the whole episode are used up",
        "time" => "the episode has lasted long enough",
        "no-preferred" => "no preferred network is there to go to",
        "not-reached" => "who is refused here does not turn up on a preferred network",
        "returns" => "the device came back and tried no other network",
        "preferred-down" => "registrations fail on every preferred network",
        "preferred-failed" => "every preferred network failed this subscriber",
        "home-failing" => "the home network fails",
        other => other,
    }
}
