//! Names of the numbers that policies may speak of, and which refusals the standards allow where.

use procedure::{Act, Domain, Refusal, Vocabulary};

use crate::answer;

/// S6a and S6d.
//= TS 29.272 §7.1.8
pub const S6A: u32 = 16_777_251;
/// S13 and S13'.
pub const S13: u32 = 16_777_252;
/// SWx.
pub const SWX: u32 = 16_777_265;
/// S6c.
pub const S6C: u32 = 16_777_312;
/// SGd.
pub const SGD: u32 = 16_777_313;
/// SLg.
pub const SLG: u32 = 16_777_255;
/// SLh.
pub const SLH: u32 = 16_777_291;

/// One application: its name, its number and its operations' names and command codes.
struct Application {
    name: &'static str,
    number: u32,
    operations: &'static [(&'static str, u32)],
}

const fn row(
    name: &'static str,
    number: u32,
    operations: &'static [(&'static str, u32)],
) -> Application {
    Application { name, number, operations }
}

/// Every application that policies may name. An operation's name is unique: where two applications
/// share a command, the later ones put their own name before it.
static APPLICATIONS: &[Application] = &[
    row(
        "s6a",
        S6A,
        &[
            ("ulr", 316),
            ("clr", 317),
            ("air", 318),
            ("idr", 319),
            ("dsr", 320),
            ("pur", 321),
            ("rsr", 322),
            ("nor", 323),
        ],
    ),
    row("s13", S13, &[("ecr", 324)]),
    row("s9", 16_777_267, &[("s9-ccr", 272), ("s9-rar", 258)]),
    row("s6c", S6C, &[("srr", 8_388_647), ("alr", 8_388_648), ("rdr", 8_388_649)]),
    row("sgd", SGD, &[("ofr", 8_388_645), ("tfr", 8_388_646), ("sgd-alr", 8_388_648)]),
    row("swx", SWX, &[("swx-sar", 301), ("swx-mar", 303), ("swx-rtr", 304), ("swx-ppr", 305)]),
    row("sh", 16_777_217, &[("udr", 306), ("sh-pur", 307), ("snr", 308), ("pnr", 309)]),
    row(
        "cx",
        16_777_216,
        &[("uar", 300), ("sar", 301), ("lir", 302), ("mar", 303), ("rtr", 304), ("ppr", 305)],
    ),
    row("gx", 16_777_238, &[("gx-ccr", 272), ("gx-rar", 258)]),
    row("rx", 16_777_236, &[("aar", 265), ("rx-rar", 258), ("asr", 274), ("str", 275)]),
    row("gy", 4, &[("ccr", 272), ("gy-rar", 258)]),
    row("rf", 3, &[("acr", 271)]),
    row("sy", 16_777_302, &[("slr", 8_388_635), ("sy-snr", 8_388_636)]),
    row("slg", SLG, &[("plr", 8_388_620), ("lrr", 8_388_621)]),
    row("slh", SLH, &[("rir", 8_388_622)]),
    row("s6b", 16_777_272, &[("s6b-aar", 265), ("s6b-str", 275)]),
];

/// The names and legal refusals of the Diameter applications.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiameterVocabulary;

impl Vocabulary for DiameterVocabulary {
    fn application(&self, name: &str) -> Option<u32> {
        APPLICATIONS.iter().find(|row| row.name == name).map(|row| row.number)
    }

    fn operation(&self, name: &str) -> Option<(u32, u32)> {
        let of = |row: &Application| {
            let found = row.operations.iter().find(|operation| operation.0 == name)?;
            Some((row.number, found.1))
        };
        APPLICATIONS.iter().find_map(of)
    }

    fn applications(&self) -> Vec<&'static str> {
        APPLICATIONS.iter().map(|row| row.name).collect()
    }

    fn operations(&self) -> Vec<&'static str> {
        APPLICATIONS.iter().flat_map(|row| row.operations).map(|operation| operation.0).collect()
    }

    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal> {
        self.legal(act, domain).into_iter().find(|row| row.0 == code).map(|row| row.1)
    }

    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool {
        answer::legal(act, domain, refusal).is_some()
    }

    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)> {
        let of = |refusal: Refusal| {
            answer::legal(act, domain, refusal).map(|code| (answer::number(code), refusal))
        };
        Refusal::ALL.into_iter().filter_map(of).collect()
    }

    fn name(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        let Some(row) = APPLICATIONS.iter().find(|row| row.number == application) else {
            return (None, None);
        };
        let found = row.operations.iter().find(|known| known.1 == operation);
        (Some(row.name), found.map(|known| known.0))
    }

    fn usual(&self, act: Act, domain: Domain) -> Option<(u32, u32)> {
        let name = match (act, domain) {
            (_, Domain::Cs) => return None,
            (Act::Register, _) => "ulr",
            (Act::Authenticate, _) => "air",
            (Act::Deregister, _) => "clr",
            (Act::Purge, _) => "pur",
            (Act::Provision, _) => "idr",
            (Act::Recover, _) => "rsr",
            (Act::Notify, _) => "nor",
            _ => return None,
        };
        self.operation(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_numbers_and_back() {
        let words = DiameterVocabulary;
        assert_eq!(words.application("s6a"), Some(16_777_251));
        assert_eq!(words.operation("ulr"), Some((16_777_251, 316)));
        assert_eq!(words.operation("ccr"), Some((4, 272)));
        assert_eq!(words.name(16_777_251, 318), (Some("s6a"), Some("air")));
        assert_eq!(words.name(16_777_251, 1), (Some("s6a"), None));
        assert_eq!(words.name(1, 1), (None, None));
        for name in words.operations() {
            let (application, command) = words.operation(name).expect("a listed name");
            assert_eq!(words.name(application, command).1, Some(name), "{name} is ambiguous");
        }
    }

    //= TS 29.272 §7.4
    #[test]
    fn only_what_the_standard_allows_is_legal() {
        let words = DiameterVocabulary;
        for code in [5001, 5004, 5420, 5421, 5003, 3004, 5012] {
            assert!(words.refusal(Act::Register, Domain::Eps, code).is_some(), "{code}");
            assert!(words.refusal(Act::Register, Domain::Ps, code).is_some(), "{code}");
        }
        let air = |code| words.refusal(Act::Authenticate, Domain::Eps, code);
        assert_eq!(air(5001), Some(Refusal::UnknownSubscriber));
        assert_eq!(air(5004), None, "an AIR is never refused for roaming");
        assert_eq!(air(5421), None);
        assert!(words.legal(Act::Register, Domain::Cs).is_empty(), "that is MAP's");
        assert!(!words.is_legal(Act::Transit, Domain::Unknown, Refusal::RoamingNotAllowed));
        assert!(words.is_legal(Act::Transit, Domain::Unknown, Refusal::Unroutable));
    }
}
