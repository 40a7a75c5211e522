//! `ipxctl explain`: what would happen to this procedure, and why?

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use policy::{Explanation, Probe};
use procedure::{Access, Act, Digits, Domain, Imsi, Plmn, Vocabulary};

use crate::{STATUS_MISTAKES, Which, say};

/// Explains a decision.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    which: Which,
    /// What is attempted.
    #[arg(long, default_value = "register", value_parser = PossibleValuesParser::new(Act::ALL.map(Act::name)))]
    act: String,
    /// In which domain.
    #[arg(long, default_value = "eps", value_parser = PossibleValuesParser::new(Domain::ALL.map(Domain::name)))]
    domain: String,
    /// Over which radio access.
    #[arg(long, default_value = "unknown", value_parser = PossibleValuesParser::new(Access::ALL.map(Access::name)))]
    access: String,
    /// The subscriber, 6 to 15 digits.
    #[arg(long)]
    imsi: Option<Imsi>,
    /// The first eight digits of the equipment's identity (IMEI), which tell the kind of device.
    #[arg(long, value_name = "TAC", value_parser = clap::value_parser!(u32).range(..=99_999_999))]
    tac: Option<u32>,
    /// When, in UTC: "2027-07-01T12:00"; now unless given. Plans know dates and hours.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The visited network, MCC then MNC.
    #[arg(long, value_name = "PLMN")]
    visited: Option<Plmn>,
    /// The serving node's number (VLR, MSC or SGSN, E.164), which tells the visited network for MAP.
    #[arg(long, value_name = "NUMBER", conflicts_with = "visited")]
    node: Option<Digits>,
    /// As if so many attempts less one had been refused on this network.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    attempt: Option<u8>,
    /// The asker's name.
    #[arg(long, value_name = "HOST")]
    origin_host: Option<String>,
    /// The asker's realm; from the visited network (or the home, for what homes do) unless given.
    #[arg(long, value_name = "REALM")]
    origin_realm: Option<String>,
    /// The node that is asked; any of the realm unless given.
    #[arg(long, value_name = "HOST")]
    destination_host: Option<String>,
    /// The realm that is asked; from the subscriber's home network unless given.
    #[arg(long, value_name = "REALM")]
    destination_realm: Option<String>,
    /// The protocol's application, a name (s6a) or a number; the act's usual one unless given.
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// The protocol's operation, a name (ulr) or a number; the act's usual one unless given.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> ExitCode {
        let words = stacks::vocabulary();
        let probe = match self.probe(&words) {
            Ok(probe) => probe,
            Err(message) => {
                eprintln!("ipxctl: {message}");
                return ExitCode::from(STATUS_MISTAKES);
            }
        };
        let at = match self.at.as_deref().map(|text| policy::moment(text).ok_or(text)).transpose() {
            Ok(at) => at.unwrap_or_else(crate::unix_s),
            Err(wrong) => {
                eprintln!(
                    "ipxctl: `{wrong}` is no time (expected one as 2027-07-01T12:00, in UTC)"
                );
                return ExitCode::from(STATUS_MISTAKES);
            }
        };
        let (_loaded, engine) = match self.which.load(at) {
            Ok(both) => both,
            Err(status) => return status,
        };
        let ruleset = engine.ruleset();
        let probe = probe.complete(ruleset.compiled(), &words);
        let explanation = ruleset.explain(&probe.procedure(), probe.attempt);
        if self.json {
            return print_json(&explanation);
        }
        say(self.question(&probe));
        say(explanation);
        ExitCode::SUCCESS
    }

    fn probe(&self, words: &dyn Vocabulary) -> Result<Probe, String> {
        let (application, operation) = self.numbers(words)?;
        Ok(Probe {
            act: by_name(&Act::ALL, Act::name, &self.act).unwrap_or(Act::Register),
            domain: by_name(&Domain::ALL, Domain::name, &self.domain).unwrap_or(Domain::Eps),
            access: by_name(&Access::ALL, Access::name, &self.access).unwrap_or(Access::Unknown),
            imsi: self.imsi,
            tac: self.tac,
            visited: self.visited,
            node: self.node,
            origin_host: self.origin_host.clone(),
            origin_realm: self.origin_realm.clone(),
            destination_host: self.destination_host.clone(),
            destination_realm: self.destination_realm.clone(),
            application,
            operation,
            attempt: self.attempt,
        })
    }

    /// Application and operation by name or number; an operation's name tells its application.
    fn numbers(&self, words: &dyn Vocabulary) -> Result<(Option<u32>, Option<u32>), String> {
        let unknown = |what: &str, name: &str, known: Vec<&'static str>| {
            let near = policy::nearest(name, known.iter().copied());
            let hint = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            format!("no {what} `{name}` is known{hint}")
        };
        let mut application = None;
        if let Some(name) = &self.application {
            let found = words.application(name).or_else(|| name.parse().ok());
            application =
                Some(found.ok_or_else(|| unknown("application", name, words.applications()))?);
        }
        let Some(name) = &self.operation else { return Ok((application, None)) };
        match (words.operation(name), name.parse().ok()) {
            (Some((own, number)), _) => Ok((application.or(Some(own)), Some(number))),
            (None, Some(number)) => Ok((application, Some(number))),
            (None, None) => Err(unknown("operation", name, words.operations())),
        }
    }

    /// The question in words, so that what was filled in can be seen.
    fn question(&self, probe: &Probe) -> String {
        let node = |realm: &Option<String>, host: &Option<String>| {
            realm.as_ref().or(host.as_ref()).map_or_else(|| "?".to_owned(), Clone::clone)
        };
        let called = |name: Option<&str>, number: u32| {
            name.map_or_else(|| number.to_string(), ToOwned::to_owned)
        };
        let numbers = probe.application.zip(probe.operation);
        let operation = numbers.map_or(String::new(), |(application, operation)| {
            let names = stacks::vocabulary().name(application, operation);
            format!(" ({} {})", called(names.0, application), called(names.1, operation))
        });
        let attempt = probe.attempt.map_or(String::new(), |n| format!(", attempt {n}"));
        format!(
            "{} over {}{attempt}{operation}, from {} to {}\n",
            probe.act.name(),
            probe.domain.name(),
            node(&probe.origin_realm, &probe.origin_host),
            node(&probe.destination_realm, &probe.destination_host),
        )
    }
}

fn print_json(explanation: &Explanation) -> ExitCode {
    match serde_json::to_string_pretty(explanation) {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ipxctl: {error}");
            ExitCode::FAILURE
        }
    }
}

fn by_name<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value) == wanted)
}
