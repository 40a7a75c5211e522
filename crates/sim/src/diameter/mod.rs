//! A small Diameter codec for the simulated peers, written from the standards and from nothing else.
//!
//! It shares no line with the gateway's views: two independent readings of the same bytes are what
//! makes a simulated peer a judge. Building is appending to a `Vec<u8>`; parsing is a checked walk.

pub mod avp;
pub mod base;
pub mod build;
pub mod parse;
pub mod s6a;

/// Command codes: the base protocol's (RFC 6733 §3.1) and S6a/S6d's (TS 29.272 §7.2.2).
pub mod command {
    /// Capabilities-Exchange-Request and -Answer.
    pub const CAPABILITIES_EXCHANGE: u32 = 257;
    /// Device-Watchdog-Request and -Answer.
    pub const DEVICE_WATCHDOG: u32 = 280;
    /// Disconnect-Peer-Request and -Answer.
    pub const DISCONNECT_PEER: u32 = 282;
    /// Update-Location-Request and -Answer (ULR, ULA).
    pub const UPDATE_LOCATION: u32 = 316;
    /// Cancel-Location-Request and -Answer (CLR, CLA).
    pub const CANCEL_LOCATION: u32 = 317;
    /// Authentication-Information-Request and -Answer (AIR, AIA).
    pub const AUTHENTICATION_INFORMATION: u32 = 318;
    /// Insert-Subscriber-Data-Request and -Answer (IDR, IDA).
    pub const INSERT_SUBSCRIBER_DATA: u32 = 319;
    /// Delete-Subscriber-Data-Request and -Answer (DSR, DSA).
    pub const DELETE_SUBSCRIBER_DATA: u32 = 320;
    /// Purge-UE-Request and -Answer (PUR, PUA).
    pub const PURGE_UE: u32 = 321;
    /// Reset-Request and -Answer (RSR, RSA).
    pub const RESET: u32 = 322;
    /// Notify-Request and -Answer (NOR, NOA).
    pub const NOTIFY: u32 = 323;

    /// The request's short name, for counters and tables (`other` for a code not listed above).
    #[must_use]
    pub fn name(code: u32) -> &'static str {
        match code {
            CAPABILITIES_EXCHANGE => "CER",
            DEVICE_WATCHDOG => "DWR",
            DISCONNECT_PEER => "DPR",
            UPDATE_LOCATION => "ULR",
            CANCEL_LOCATION => "CLR",
            AUTHENTICATION_INFORMATION => "AIR",
            INSERT_SUBSCRIBER_DATA => "IDR",
            DELETE_SUBSCRIBER_DATA => "DSR",
            PURGE_UE => "PUR",
            RESET => "RSR",
            NOTIFY => "NOR",
            _ => "other",
        }
    }
}

/// Result codes: the base protocol's stand in Result-Code, the S6a ones in Experimental-Result.
pub mod result {
    /// DIAMETER_SUCCESS (RFC 6733 §7.1.2).
    pub const SUCCESS: u32 = 2001;
    /// DIAMETER_COMMAND_UNSUPPORTED (RFC 6733 §7.1.3).
    pub const COMMAND_UNSUPPORTED: u32 = 3001;
    /// DIAMETER_TOO_BUSY (RFC 6733 §7.1.3).
    pub const TOO_BUSY: u32 = 3004;
    /// DIAMETER_APPLICATION_UNSUPPORTED (RFC 6733 §7.1.3).
    pub const APPLICATION_UNSUPPORTED: u32 = 3007;
    /// DIAMETER_MISSING_AVP (RFC 6733 §7.1.5).
    pub const MISSING_AVP: u32 = 5005;
    /// DIAMETER_NO_COMMON_APPLICATION (RFC 6733 §7.1.5).
    pub const NO_COMMON_APPLICATION: u32 = 5010;
    /// Experimental: DIAMETER_ERROR_USER_UNKNOWN (TS 29.272 §7.4.3.1).
    pub const USER_UNKNOWN: u32 = 5001;
    /// Experimental: DIAMETER_ERROR_ROAMING_NOT_ALLOWED (TS 29.272 §7.4.3.3).
    pub const ROAMING_NOT_ALLOWED: u32 = 5004;
    /// Experimental: DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION (TS 29.272 §7.4.3.2).
    pub const UNKNOWN_EPS_SUBSCRIPTION: u32 = 5420;
    /// Experimental: DIAMETER_ERROR_RAT_NOT_ALLOWED (TS 29.272 §7.4.3.4).
    pub const RAT_NOT_ALLOWED: u32 = 5421;
}

/// The S6a/S6d application (TS 29.272 §7.1.8).
pub const S6A: u32 = 16_777_251;
/// The relay application (RFC 6733 §2.4).
pub const RELAY: u32 = 0xffff_ffff;
/// The 3GPP vendor id.
pub const VENDOR_3GPP: u32 = 10_415;
/// Bytes of a Diameter header (RFC 6733 §3).
pub const HEADER: usize = 20;
/// The R bit of the command flags: this message is a request.
pub const FLAG_REQUEST: u8 = 0x80;
/// The P bit: the message may be proxied or relayed.
pub const FLAG_PROXIABLE: u8 = 0x40;
/// The E bit: the answer reports a protocol error.
pub const FLAG_ERROR: u8 = 0x20;
/// The T bit: the request may have been sent before.
pub const FLAG_RETRANSMIT: u8 = 0x10;
