//! Names of MAP's numbers, for policies, records and people.

use procedure::{Act, Domain, Refusal, Vocabulary};

use crate::answer::errors;
use crate::describe::map::operation as op;

/// MAP as an application. Numbers of applications are unique over all stacks; IANA assigns none to
/// Diameter here. A dialogue's application context adds its own number.
pub const MAP: u32 = 0x5337_0000;

/// Application contexts: number, name.
//= TS 29.002 §17.3.2
const CONTEXTS: &[(u32, &str)] = &[
    (0, "map"),
    (1, "map-networklocup"),
    (2, "map-locationcancel"),
    (3, "map-roamingnumber"),
    (5, "map-locationinfo"),
    (10, "map-reset"),
    (14, "map-inforetrieval"),
    (16, "map-subscriberdata"),
    (19, "map-ussd"),
    (20, "map-shortmsggateway"),
    (21, "map-shortmsgmo"),
    (25, "map-shortmsgmt"),
    (27, "map-mspurging"),
    (28, "map-subscriberinfo"),
    (29, "map-anytimeinfo"),
    (32, "map-gprslocup"),
    (33, "map-gprsinfo"),
];

/// Operations: code, usual application context, names; the first one is written.
const OPERATIONS: &[(u32, u32, &[&str])] = &[
    (op::UPDATE_LOCATION, 1, &["ul", "updatelocation"]),
    (op::UPDATE_GPRS_LOCATION, 32, &["ugl", "updategprslocation"]),
    (op::CANCEL_LOCATION, 2, &["cl", "cancellocation"]),
    (op::PURGE_MS, 27, &["purgems"]),
    (op::SEND_AUTHENTICATION, 14, &["sai", "sendauthenticationinfo"]),
    (op::AUTHENTICATION_FAILURE, 39, &["authenticationfailurereport"]),
    (op::INSERT_SUBSCRIBER_DATA, 16, &["isd", "insertsubscriberdata"]),
    (op::DELETE_SUBSCRIBER_DATA, 16, &["dsd", "deletesubscriberdata"]),
    (op::RESET, 10, &["reset"]),
    (op::RESTORE_DATA, 1, &["restoredata"]),
    (op::FORWARD_CHECK_SS, 10, &["forwardcheckss"]),
    (op::SEND_ROUTING_INFO_SM, 20, &["srism", "sendroutinginfoforsm"]),
    (op::MT_FORWARD_SM, 25, &["mtfsm", "mtforwardsm"]),
    (op::MO_FORWARD_SM, 21, &["mofsm", "moforwardsm"]),
    (op::REPORT_SM_DELIVERY, 20, &["reportsmdelivery"]),
    (op::READY_FOR_SM, 24, &["readyforsm"]),
    (op::ANY_TIME_INTERROGATION, 29, &["ati", "anytimeinterrogation"]),
    (op::PROVIDE_SUBSCRIBER_INFO, 28, &["psi", "providesubscriberinfo"]),
    (op::SEND_ROUTING_INFO, 5, &["sri", "sendroutinginfo"]),
    (op::SEND_ROUTING_INFO_GPRS, 33, &["srigprs", "sendroutinginfoforgprs"]),
    (op::PROVIDE_ROAMING_NUMBER, 3, &["prn", "provideroamingnumber"]),
    (op::PROCESS_USSD, 19, &["ussd", "processussd"]),
    (op::USSD_REQUEST, 19, &["ussdrequest"]),
    (op::USSD_NOTIFY, 19, &["ussdnotify"]),
    (op::NOTE_MM_EVENT, 42, &["notemmevent"]),
];

/// MAP's words.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapVocabulary;

impl MapVocabulary {
    /// The operation that an act in a domain is refused as.
    const fn refused(act: Act, domain: Domain) -> Option<u32> {
        Some(match (act, domain) {
            (Act::Register, Domain::Cs) => op::UPDATE_LOCATION,
            (Act::Register, Domain::Ps) => op::UPDATE_GPRS_LOCATION,
            (_, Domain::Eps) | (Act::Register, Domain::Unknown) => return None,
            (Act::Authenticate, _) => op::SEND_AUTHENTICATION,
            (Act::Deregister, _) => op::CANCEL_LOCATION,
            (Act::Purge, _) => op::PURGE_MS,
            (Act::Provision, _) => op::INSERT_SUBSCRIBER_DATA,
            (Act::Recover, _) => op::RESTORE_DATA,
            (Act::LocateForSms, _) => op::SEND_ROUTING_INFO_SM,
            (Act::DeliverSms, _) => op::MT_FORWARD_SM,
            (Act::LocateForCall, _) => op::SEND_ROUTING_INFO,
            (Act::Query, _) => op::ANY_TIME_INTERROGATION,
            (Act::Supplementary, _) => op::PROCESS_USSD,
            (Act::Notify | Act::Transit, _) => return None,
        })
    }
}

impl Vocabulary for MapVocabulary {
    fn application(&self, name: &str) -> Option<u32> {
        CONTEXTS.iter().find(|row| row.1 == name).map(|row| MAP | row.0)
    }

    fn operation(&self, name: &str) -> Option<(u32, u32)> {
        let row = OPERATIONS.iter().find(|row| row.2.contains(&name))?;
        Some((MAP | row.1, row.0))
    }

    fn applications(&self) -> Vec<&'static str> {
        CONTEXTS.iter().map(|row| row.1).collect()
    }

    fn operations(&self) -> Vec<&'static str> {
        OPERATIONS.iter().filter_map(|row| row.2.first().copied()).collect()
    }

    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal> {
        let code = u8::try_from(code).ok()?;
        let legal = errors::legal(Self::refused(act, domain)?);
        legal.contains(&code).then(|| errors::refusal(code)).flatten()
    }

    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool {
        let Some(operation) = Self::refused(act, domain) else { return false };
        errors::legal(operation).contains(&errors::wanted(refusal))
    }

    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)> {
        let codes = Self::refused(act, domain).map_or(&[][..], errors::legal).iter();
        codes.filter_map(|code| Some((u32::from(*code), errors::refusal(*code)?))).collect()
    }

    fn name(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        if application & 0xffff_0000 != MAP {
            return (None, None);
        }
        let context = CONTEXTS.iter().find(|row| MAP | row.0 == application).or(CONTEXTS.first());
        let found = OPERATIONS.iter().find(|row| row.0 == operation);
        (context.map(|row| row.1), found.and_then(|row| row.2.first().copied()))
    }

    fn usual(&self, act: Act, domain: Domain) -> Option<(u32, u32)> {
        let operation = Self::refused(act, domain)?;
        let row = OPERATIONS.iter().find(|row| row.0 == operation)?;
        Some((MAP | row.1, operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_numbers_and_back() {
        let words = MapVocabulary;
        assert_eq!(words.operation("ul"), Some((MAP | 1, 2)));
        assert_eq!(words.operation("updategprslocation"), Some((MAP | 32, 23)));
        assert_eq!(words.name(MAP | 1, 2), (Some("map-networklocup"), Some("ul")));
        assert_eq!(words.name(MAP | 99, 99), (Some("map"), None));
        assert_eq!(words.name(16_777_251, 316), (None, None));
        for name in words.operations() {
            let (application, operation) = words.operation(name).expect("a listed name");
            assert_eq!(words.name(application, operation).1, Some(name));
        }
    }

    #[test]
    fn only_registrations_can_be_refused_for_roaming() {
        let words = MapVocabulary;
        for act in Act::ALL {
            for domain in Domain::ALL {
                let is_legal = words.is_legal(act, domain, Refusal::RoamingNotAllowed);
                let expected = act == Act::Register && matches!(domain, Domain::Cs | Domain::Ps);
                assert_eq!(is_legal, expected, "{act:?} {domain:?}");
            }
        }
        assert_eq!(words.refusal(Act::Register, Domain::Cs, 8), Some(Refusal::RoamingNotAllowed));
        assert_eq!(words.refusal(Act::Authenticate, Domain::Cs, 8), None);
        assert_eq!(words.refusal(Act::Register, Domain::Ps, 35), None);
    }
}
