//! S6a/S6d messages of the simulated MME and HSS (TS 29.272 §7.2).

use super::base::{Identity, answer_head, copy_proxy_info};
use super::build::{Head, Message};
use super::parse::{Message as Parsed, Outcome};
use super::{FLAG_PROXIABLE, FLAG_REQUEST, S6A, VENDOR_3GPP, avp, command};

/// What the requests of one subscriber at one visited network have in common.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The sender.
    pub me: &'a Identity,
    /// Session-Id, unique for each request (S6a keeps no session state).
    pub session: &'a str,
    /// Destination-Realm.
    pub realm: &'a str,
    /// Destination-Host, where the sender knows it.
    pub host: Option<&'a str>,
    /// The IMSI, digits only.
    pub imsi: &'a str,
    /// Visited-PLMN-Id as on the wire.
    pub visited: [u8; 3],
    /// RAT-Type (TS 29.212 §5.3.31): 1004 is EUTRAN.
    pub rat: u32,
}

/// RAT-Type EUTRAN.
pub const EUTRAN: u32 = 1004;

impl Request<'_> {
    fn start<'b>(&self, out: &'b mut Vec<u8>, command: u32, ids: (u32, u32)) -> Message<'b> {
        let mut message = Message::new(
            out,
            Head {
                flags: FLAG_REQUEST | FLAG_PROXIABLE,
                command,
                application: S6A,
                hop_by_hop: ids.0,
                end_to_end: ids.1,
            },
        );
        message.bytes(avp::SESSION_ID, self.session.as_bytes());
        message.number(avp::AUTH_SESSION_STATE, 1);
        self.me.write(&mut message);
        if let Some(host) = self.host {
            message.bytes(avp::DESTINATION_HOST, host.as_bytes());
        }
        message.bytes(avp::DESTINATION_REALM, self.realm.as_bytes());
        message.bytes(avp::USER_NAME, self.imsi.as_bytes());
        message
    }

    /// Appends an Update-Location-Request; `ids` are Hop-by-Hop and End-to-End.
    //= TS 29.272 §7.2.3
    // ULR-Flags 0x22: S6a/S6d-Indicator and Initial-Attach-Indicator.
    pub fn ulr(&self, out: &mut Vec<u8>, ids: (u32, u32)) {
        let mut message = self.start(out, command::UPDATE_LOCATION, ids);
        message
            .number_3gpp(avp::RAT_TYPE, self.rat)
            .number_3gpp(avp::ULR_FLAGS, 0x22)
            .bytes_3gpp(avp::VISITED_PLMN_ID, &self.visited);
        message.finish();
    }

    /// Appends an Authentication-Information-Request for one E-UTRAN vector.
    //= TS 29.272 §7.2.5
    // Requested-EUTRAN-Authentication-Info with the number of vectors, and Visited-PLMN-Id.
    pub fn air(&self, out: &mut Vec<u8>, ids: (u32, u32)) {
        let mut message = self.start(out, command::AUTHENTICATION_INFORMATION, ids);
        message
            .group_3gpp(avp::REQUESTED_EUTRAN_AUTHENTICATION_INFO, |m| {
                m.number_3gpp(avp::NUMBER_OF_REQUESTED_VECTORS, 1)
                    .number_3gpp(avp::IMMEDIATE_RESPONSE_PREFERRED, 0);
            })
            .bytes_3gpp(avp::VISITED_PLMN_ID, &self.visited);
        message.finish();
    }

    /// Appends a Purge-UE-Request.
    //= TS 29.272 §7.2.13
    // Nothing beyond what every request of the interface carries is mandatory.
    pub fn pur(&self, out: &mut Vec<u8>, ids: (u32, u32)) {
        self.start(out, command::PURGE_UE, ids).finish();
    }

    /// Appends a Notify-Request.
    //= TS 29.272 §7.2.17
    // NOR-Flags stand for what is notified; none of them is set here.
    pub fn nor(&self, out: &mut Vec<u8>, ids: (u32, u32)) {
        let mut message = self.start(out, command::NOTIFY, ids);
        message.number_3gpp(avp::NOR_FLAGS, 0);
        message.finish();
    }

    /// Appends a Cancel-Location-Request with Cancellation-Type MME_UPDATE_PROCEDURE (0).
    //= TS 29.272 §7.2.7
    // Destination-Host and User-Name are mandatory here: only the serving node can act on it.
    pub fn clr(&self, out: &mut Vec<u8>, ids: (u32, u32)) {
        let mut message = self.start(out, command::CANCEL_LOCATION, ids);
        message.number_3gpp(avp::CANCELLATION_TYPE, 0);
        message.finish();
    }
}

/// The AVPs of an answer behind its Session-Id: the same for every subscriber, so built once.
#[derive(Clone, Debug)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// The result, Auth-Session-State and origin, then whatever `more` appends.
    //= TS 29.272 §7.4
    // A vendor's code is grouped with its Vendor-Id; Result-Code is then absent.
    pub fn new(me: &Identity, result: Outcome, more: impl FnOnce(&mut Message<'_>)) -> Self {
        let head = Head { flags: 0, command: 0, application: 0, hop_by_hop: 0, end_to_end: 0 };
        let mut out = Vec::with_capacity(512);
        let mut message = Message::new(&mut out, head);
        match result {
            Outcome::Base(code) => {
                message.number(avp::RESULT_CODE, code);
            }
            Outcome::Experimental(code) => {
                message.group(avp::EXPERIMENTAL_RESULT, |m| {
                    m.number(avp::VENDOR_ID, VENDOR_3GPP)
                        .number(avp::EXPERIMENTAL_RESULT_CODE, code);
                });
            }
            Outcome::Absent => {}
        }
        message.number(avp::AUTH_SESSION_STATE, 1);
        me.write(&mut message);
        more(&mut message);
        message.finish();
        Self(out.split_off(super::HEADER))
    }

    /// An answer without more than its result.
    #[must_use]
    pub fn plain(me: &Identity, result: Outcome) -> Self {
        Self::new(me, result, |_| {})
    }

    /// Appends the answer to `request`, with the request's Session-Id and Proxy-Info.
    pub fn answer(&self, out: &mut Vec<u8>, request: &Parsed<'_>, session: &[u8]) {
        let mut message = Message::new(out, answer_head(request, false));
        message.bytes(avp::SESSION_ID, session).raw(&self.0);
        copy_proxy_info(&mut message, request);
        message.finish();
    }
}

/// The tail of a successful ULA: ULA-Flags with Separation-Indication, and one default APN.
//= TS 29.272 §7.3.2, §7.3.34, §7.3.35
// Subscription-Data: status SERVICE_GRANTED, ONLY_PACKET, AMBR, one APN-Configuration.
#[must_use]
pub fn ula(me: &Identity) -> Tail {
    Tail::new(me, Outcome::Base(super::result::SUCCESS), |m| {
        m.number_3gpp(avp::ULA_FLAGS, 1).group_3gpp(avp::SUBSCRIPTION_DATA, |m| {
            m.number_3gpp(avp::SUBSCRIBER_STATUS, 0).number_3gpp(avp::NETWORK_ACCESS_MODE, 2);
            ambr(m);
            m.group_3gpp(avp::APN_CONFIGURATION_PROFILE, |m| {
                m.number_3gpp(avp::CONTEXT_IDENTIFIER, 1).number_3gpp(avp::ALL_APN_INCLUDED, 0);
                m.group_3gpp(avp::APN_CONFIGURATION, apn);
            });
        });
    })
}

fn ambr(m: &mut Message<'_>) {
    m.group_3gpp(avp::AMBR, |m| {
        m.number_3gpp(avp::MAX_BANDWIDTH_UL, 50_000_000)
            .number_3gpp(avp::MAX_BANDWIDTH_DL, 150_000_000);
    });
}

fn apn(m: &mut Message<'_>) {
    m.number_3gpp(avp::CONTEXT_IDENTIFIER, 1).number_3gpp(avp::PDN_TYPE, 0);
    m.bytes(avp::SERVICE_SELECTION, b"internet");
    m.group_3gpp(avp::EPS_SUBSCRIBED_QOS_PROFILE, |m| {
        m.number_3gpp(avp::QCI, 9).group_3gpp(avp::ARP, |m| {
            m.number_3gpp(avp::PRIORITY_LEVEL, 8);
        });
    });
}

/// The tail of a successful AIA with one fixed E-UTRAN vector.
//= TS 29.272 §7.3.17, §7.3.18
// E-UTRAN-Vector: RAND (16 octets), XRES (4 to 16), AUTN (16), KASME (32).
#[must_use]
pub fn aia(me: &Identity) -> Tail {
    Tail::new(me, Outcome::Base(super::result::SUCCESS), |m| {
        m.group_3gpp(avp::AUTHENTICATION_INFO, |m| {
            m.group_3gpp(avp::E_UTRAN_VECTOR, |m| {
                m.bytes_3gpp(avp::RAND, &[0x11; 16])
                    .bytes_3gpp(avp::XRES, &[0x22; 8])
                    .bytes_3gpp(avp::AUTN, &[0x33; 16])
                    .bytes_3gpp(avp::KASME, &[0x44; 32]);
            });
        });
    })
}
