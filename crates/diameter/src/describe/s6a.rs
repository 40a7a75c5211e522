//! S6a and S6d: what an MME, an SGSN or an HSS is trying to do.

use procedure::{Access, Act, Domain};

use crate::view::View;

/// Bit 1 of ULR-Flags: sent by an MME (S6a), not by an SGSN (S6d).
const ULR_S6A: u32 = 1 << 1;
/// Bit 5 of ULR-Flags: the attach is a new one.
const ULR_INITIAL_ATTACH: u32 = 1 << 5;

/// The act that a command attempts.
//= TS 29.272 §7.2.1
pub(crate) const fn act(command: u32) -> Act {
    match command {
        316 => Act::Register,
        317 => Act::Deregister,
        318 => Act::Authenticate,
        319 | 320 => Act::Provision,
        321 => Act::Purge,
        322 => Act::Recover,
        323 => Act::Notify,
        _ => Act::Transit,
    }
}

/// The domain, where the message tells it.
//= TS 29.272 §7.3.7
pub(crate) fn domain(act: Act, view: &View<'_>) -> Domain {
    match act {
        Act::Register => {
            let by_sgsn = view.ulr_flags.is_some_and(|flags| flags & ULR_S6A == 0);
            let by_2g_3g = matches!(access(view), Access::TwoG | Access::ThreeG);
            if by_sgsn && by_2g_3g { Domain::Ps } else { Domain::Eps }
        }
        // An MME asks for E-UTRAN vectors, perhaps for both kinds; an SGSN only for the others.
        Act::Authenticate if view.wants_utran && !view.wants_eutran => Domain::Ps,
        Act::Authenticate => Domain::Eps,
        _ => Domain::Unknown,
    }
}

/// The radio access behind a RAT-Type.
//= TS 29.212 §5.3.31
pub(crate) const fn access(view: &View<'_>) -> Access {
    match view.rat {
        // GERAN.
        Some(1001) => Access::TwoG,
        // UTRAN, GAN (which stands in for either), HSPA evolution.
        Some(1000 | 1002 | 1003) => Access::ThreeG,
        // E-UTRAN, NB-IoT, LTE-M and E-UTRAN by satellite.
        Some(1004 | 1005 | 1007 | 1011..=1014 | 1021..=1024 | 1031..=1034) => Access::FourG,
        // NR, NR in unlicensed bands and by satellite.
        Some(1006 | 1008 | 1035..=1038) => Access::FiveG,
        _ => Access::Unknown,
    }
}

/// Whether a ULR says that the attach is a new one.
//= TS 29.272 §7.3.7
pub(crate) fn initial(act: Act, view: &View<'_>) -> bool {
    let marked = view.ulr_flags.is_some_and(|flags| flags & ULR_INITIAL_ATTACH != 0);
    matches!(act, Act::Register) && marked
}
