//! What somebody is trying to do.

use crate::{Digits, Imsi, LinkId, Plmn, StackId, Symbol, Time};

/// The act, whatever the protocol calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Become served by a visited network: updateLocation, updateGprsLocation, ULR.
    Register,
    /// Fetch authentication vectors: sendAuthenticationInfo, AIR.
    Authenticate,
    /// The home network ends a registration: cancelLocation, CLR.
    Deregister,
    /// The visited network forgets a subscriber: purgeMS, PUR.
    Purge,
    /// The home network changes subscription data: insert/deleteSubscriberData, IDR, DSR.
    Provision,
    /// A node lost its data: reset, restoreData, RSR.
    Recover,
    /// A served node tells the home network something: NOR, noteMM-Event.
    Notify,
    /// Find where a short message has to go: sendRoutingInfoForSM.
    LocateForSms,
    /// Carry a short message: mo- and mt-ForwardSM.
    DeliverSms,
    /// Find where a call has to go: sendRoutingInfo, provideRoamingNumber.
    LocateForCall,
    /// Ask about a subscriber: anyTimeInterrogation, provideSubscriberInfo.
    Query,
    /// Use a supplementary service: USSD.
    Supplementary,
    /// Anything else; passed and recorded by its code.
    Transit,
}

/// The core-network domain a procedure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Circuit switched (VLR, MAP UL).
    Cs,
    /// Packet switched, 2G/3G (SGSN: MAP UGL, S6d).
    Ps,
    /// Evolved packet system (MME: S6a).
    Eps,
    /// Not told or not applicable.
    Unknown,
}

/// The radio access a procedure was made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// GERAN.
    TwoG,
    /// UTRAN.
    ThreeG,
    /// E-UTRAN, NB-IoT and their kin.
    FourG,
    /// NR.
    FiveG,
    /// Not told.
    Unknown,
}

/// A node as a message names it: ASCII bytes from outside, possibly empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node<'a> {
    /// The node's own name (Diameter identity, or a global title's digits).
    pub host: &'a [u8],
    /// The realm or network it says it belongs to.
    pub realm: &'a [u8],
}

/// What a message attempts, as neutral as the decision needs it. Borrowed from the frame.
#[derive(Clone, Copy, Debug)]
pub struct Procedure<'a> {
    /// The stack that read it.
    pub stack: StackId,
    /// The link it came over.
    pub from: LinkId,
    /// What is attempted.
    pub act: Act,
    /// In which domain.
    pub domain: Domain,
    /// Over which radio access.
    pub access: Access,
    /// The stack's number of the application (Diameter Application-Id), 0 where there is none.
    pub application: u32,
    /// The stack's number of the operation (Diameter Command-Code, MAP operation code).
    pub operation: u32,
    /// The subscriber, where the message names one.
    pub imsi: Option<Imsi>,
    /// The first eight digits of the equipment's identity (Type Allocation Code), where the message
    /// names it.
    //= TS 23.003 §6.2.1
    pub tac: Option<u32>,
    /// The subscriber's number, where the message names one (MSISDN, E.164).
    pub subscriber: Option<Digits>,
    /// The visited network, where the message names one.
    pub visited: Option<Plmn>,
    /// The node that serves the subscriber, where the message names it by its number (VLR, MSC or
    /// SGSN, E.164): the visited network is whose it is.
    pub serving: Option<Digits>,
    /// Who asks.
    pub origin: Node<'a>,
    /// Who is asked; the host is empty when any node of the realm will do.
    pub destination: Node<'a>,
    /// The configured link to the very node that is asked, if there is one.
    pub named: Option<LinkId>,
    /// The group that the message's own address leads to (a translated global title, a point
    /// code); a route's group comes before it.
    pub led: Option<Symbol>,
    /// Messages of one value take the same way while it lasts, so that they keep their order
    /// (signalling link selection).
    pub sequence: Option<u8>,
    /// Identifies the exchange for as long as its sender may repeat it (origin and end-to-end
    /// identifier, hashed).
    pub exchange: u64,
    /// The sender marked the message as a possible repeat.
    pub repeat: bool,
    /// The message already passed through this gateway.
    pub looped: bool,
    /// The attach is a new one, not a move within what the subscriber already had.
    pub initial: bool,
    /// When it arrived.
    pub arrived: Time,
    /// The sender speaks for a realm that its link may not.
    pub spoofed: bool,
}

impl Procedure<'_> {
    /// A procedure of which nothing is known yet but where it came from.
    #[must_use]
    pub const fn unknown(stack: StackId, from: LinkId, arrived: Time) -> Self {
        Self {
            stack,
            from,
            act: Act::Transit,
            domain: Domain::Unknown,
            access: Access::Unknown,
            application: 0,
            operation: 0,
            imsi: None,
            tac: None,
            subscriber: None,
            visited: None,
            serving: None,
            origin: Node { host: &[], realm: &[] },
            destination: Node { host: &[], realm: &[] },
            named: None,
            led: None,
            sequence: None,
            exchange: 0,
            repeat: false,
            looped: false,
            initial: false,
            arrived,
            spoofed: false,
        }
    }
}

impl Act {
    /// The word used in files, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Authenticate => "authenticate",
            Self::Deregister => "deregister",
            Self::Purge => "purge",
            Self::Provision => "provision",
            Self::Recover => "recover",
            Self::Notify => "notify",
            Self::LocateForSms => "locate-for-sms",
            Self::DeliverSms => "deliver-sms",
            Self::LocateForCall => "locate-for-call",
            Self::Query => "query",
            Self::Supplementary => "supplementary",
            Self::Transit => "transit",
        }
    }

    /// Every act, for files and command lines.
    pub const ALL: [Self; 13] = [
        Self::Register,
        Self::Authenticate,
        Self::Deregister,
        Self::Purge,
        Self::Provision,
        Self::Recover,
        Self::Notify,
        Self::LocateForSms,
        Self::DeliverSms,
        Self::LocateForCall,
        Self::Query,
        Self::Supplementary,
        Self::Transit,
    ];
}

impl Domain {
    /// The word used in files, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cs => "cs",
            Self::Ps => "ps",
            Self::Eps => "eps",
            Self::Unknown => "unknown",
        }
    }

    /// Every domain, for files and command lines.
    pub const ALL: [Self; 4] = [Self::Cs, Self::Ps, Self::Eps, Self::Unknown];
}

impl Access {
    /// The word used in files, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoG => "2g",
            Self::ThreeG => "3g",
            Self::FourG => "4g",
            Self::FiveG => "5g",
            Self::Unknown => "unknown",
        }
    }

    /// Every access, for files and command lines.
    pub const ALL: [Self; 5] = [Self::TwoG, Self::ThreeG, Self::FourG, Self::FiveG, Self::Unknown];
}
