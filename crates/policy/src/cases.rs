//! Cases: tables from a procedure to the decision it must get. Policies are tested with them before
//! they are put in force.

use procedure::{Exit, Vocabulary};

use crate::customers::{TAC_EXPECTED, tac};
use crate::document::{At, Section};
use crate::networks::{PLMN_EXPECTED, REALM_EXPECTED, realm};
use crate::reading::{Reading, accesses, acts, domains, refusals};
use crate::{Compiled, Diagnostic, Explanation, Probe, Source};

/// What a node's number in a file looks like, for diagnostics.
const NUMBER_EXPECTED: &str = "1 to 19 digits without a plus sign, as \"447802002505\"";

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    name: String,
    probe: Probe,
    /// Key and word of each expectation.
    expect: Vec<(&'static str, String)>,
    /// Where the case stands.
    source: Source,
    span: std::ops::Range<usize>,
}

/// How the cases went.
#[derive(Clone, Debug, Default)]
pub struct CaseReport {
    /// How many decided as they should.
    pub passed: usize,
    /// The others, each with its place.
    pub failed: Vec<Diagnostic>,
}

/// Reads one `[[case]]`.
pub(crate) fn read(section: &Section<'_>, reading: &Reading<'_>) -> Option<Case> {
    let name = section.required("name");
    let probe = read_probe(section, reading);
    let expect = section.section("expect").map(|expect| read_expect(&expect));
    section.finish();
    if expect.as_ref().is_none_or(Vec::is_empty) {
        section.push(section.at().complain("this case has no `expect`"));
    }
    let At { value, span, source } = name?;
    // The text stays with the other sources; a case keeps only its place.
    let source = Source::new(source.name.clone(), source.text.clone());
    Some(Case { name: value.to_owned(), probe, expect: expect?, source, span })
}

fn read_probe(section: &Section<'_>, reading: &Reading<'_>) -> Probe {
    let mut probe = Probe::default();
    if let Some(act) = section.word("act", &acts()) {
        probe.act = act.value;
    }
    if let Some(domain) = section.word("domain", &domains()) {
        probe.domain = domain.value;
    }
    if let Some(access) = section.word("access", &accesses()) {
        probe.access = access.value;
    }
    let name = |key| section.parsed(key, REALM_EXPECTED, realm).map(|name| name.value);
    let imsi = section.parsed("imsi", "6 to 15 digits", |text| text.parse().ok());
    probe.imsi = imsi.map(|imsi| imsi.value);
    let tac = section.parsed("tac", TAC_EXPECTED, tac);
    probe.tac = tac.map(|tac| tac.value);
    let visited = section.parsed("visited", PLMN_EXPECTED, |text| text.parse().ok());
    probe.visited = visited.map(|visited| visited.value);
    let node = section.parsed("node", NUMBER_EXPECTED, |text| text.parse().ok());
    probe.node = node.map(|node| node.value);
    probe.origin_host = name("origin_host");
    probe.origin_realm = name("origin_realm");
    probe.destination_host = name("destination_host");
    probe.destination_realm = name("destination_realm");
    probe.attempt = section.number("attempt", 1..=100).and_then(|number| u8::try_from(number).ok());
    for text in section.names_or_numbers("application") {
        let number = reading.vocabulary.application(text.value);
        probe.application = number.or_else(|| text.value.parse().ok());
        if probe.application.is_none() {
            let complaint = text.complain(format!("no application `{}` is known", text.value));
            section.push(complaint.with_nearest(text.value, reading.vocabulary.applications()));
        }
    }
    for text in section.names_or_numbers("command") {
        let named = reading.vocabulary.operation(text.value);
        probe.application = probe.application.or(named.map(|(application, _)| application));
        probe.operation = named.map(|(_, code)| code).or_else(|| text.value.parse().ok());
        if probe.operation.is_none() {
            let complaint = text.complain(format!("no command `{}` is known", text.value));
            section.push(complaint.with_nearest(text.value, reading.vocabulary.operations()));
        }
    }
    probe
}

fn read_expect(section: &Section<'_>) -> Vec<(&'static str, String)> {
    let mut expect = Vec::new();
    let verdicts = ["forward", "delay", "refuse", "discard"].map(|word| (word, word));
    let refusals: Vec<_> = refusals().into_iter().map(|(word, _)| (word, word)).collect();
    let exits = Exit::ALL.map(|exit| (exit.name(), exit.name()));
    let mut word = |key: &'static str, words: &[(&str, &'static str)]| {
        expect.extend(section.word(key, words).map(|word| (key, word.value.to_owned())));
    };
    word("verdict", &verdicts);
    word("refusal", &refusals);
    word("exit", &exits);
    for key in ["group", "rule", "customer"] {
        expect.extend(section.text(key).map(|text| (key, text.value.to_owned())));
    }
    let attempt = section.number("attempt", 0..=100);
    expect.extend(attempt.map(|attempt| ("attempt", attempt.to_string())));
    section.finish();
    expect
}

impl Case {
    /// A complaint when it expects a group that nobody declared.
    pub(crate) fn unknown_group(&self, known: impl Fn(&str) -> bool) -> Option<Diagnostic> {
        let (_, group) = self.expect.iter().find(|(key, _)| *key == "group")?;
        let message = format!("case `{}` expects a group `{group}` that is not there", self.name);
        (group != "none" && !known(group)).then(|| self.source.complain(self.span.clone(), message))
    }

    fn run(&self, compiled: &Compiled, vocabulary: &dyn Vocabulary) -> Option<Diagnostic> {
        let probe = self.probe.clone().complete(compiled, vocabulary);
        let explanation = compiled.explain(&probe.procedure(), probe.attempt, None);
        let wrong: Vec<String> = self
            .expect
            .iter()
            .filter(|(key, expected)| !agrees(&explanation, key, expected))
            .map(|(key, expected)| {
                format!("{key} is {}, not {expected}", actual(&explanation, key))
            })
            .collect();
        let message = format!("case `{}` fails: {}", self.name, wrong.join("; "));
        (!wrong.is_empty()).then(|| {
            let mut rules: Vec<&str> =
                explanation.because.iter().map(|reason| reason.rule.as_str()).collect();
            rules.dedup();
            let help = format!("these rules spoke: {}", rules.join(", "));
            self.source.complain(self.span.clone(), message).with_help(help)
        })
    }
}

fn agrees(explanation: &Explanation, key: &str, expected: &str) -> bool {
    match key {
        "rule" => explanation.because.iter().any(|reason| reason.rule == expected),
        _ => actual(explanation, key) == expected,
    }
}

fn actual(explanation: &Explanation, key: &str) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    match key {
        "verdict" => explanation.verdict.to_owned(),
        "refusal" => explanation.refusal.unwrap_or("none").to_owned(),
        "exit" => explanation.exit.unwrap_or("none").to_owned(),
        "group" => or_none(&explanation.group),
        "customer" => or_none(&explanation.customer),
        "attempt" => explanation.attempt.to_string(),
        _ => explanation.because.last().map_or("none".to_owned(), |reason| reason.rule.clone()),
    }
}

impl Compiled {
    /// Runs every case.
    #[must_use]
    pub fn run_cases(&self, vocabulary: &dyn Vocabulary) -> CaseReport {
        let mut report = CaseReport::default();
        for case in &self.cases {
            match case.run(self, vocabulary) {
                Some(failure) => report.failed.push(failure),
                None => report.passed += 1,
            }
        }
        report
    }
}
