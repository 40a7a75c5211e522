//! AVP codes used by the simulated peers (RFC 6733 §4.5, TS 29.272 §7.3, TS 29.229, TS 29.214).

/// User-Name; on S6a it carries the IMSI.
pub const USER_NAME: u32 = 1;
/// 3GPP-Charging-Characteristics (TS 29.061).
pub const CHARGING_CHARACTERISTICS: u32 = 13;
/// Proxy-State.
pub const PROXY_STATE: u32 = 33;
/// Host-IP-Address.
pub const HOST_IP_ADDRESS: u32 = 257;
/// Auth-Application-Id.
pub const AUTH_APPLICATION_ID: u32 = 258;
/// Vendor-Specific-Application-Id (grouped).
pub const VENDOR_SPECIFIC_APPLICATION_ID: u32 = 260;
/// Session-Id.
pub const SESSION_ID: u32 = 263;
/// Origin-Host.
pub const ORIGIN_HOST: u32 = 264;
/// Supported-Vendor-Id.
pub const SUPPORTED_VENDOR_ID: u32 = 265;
/// Vendor-Id.
pub const VENDOR_ID: u32 = 266;
/// Firmware-Revision.
pub const FIRMWARE_REVISION: u32 = 267;
/// Result-Code.
pub const RESULT_CODE: u32 = 268;
/// Product-Name.
pub const PRODUCT_NAME: u32 = 269;
/// Disconnect-Cause.
pub const DISCONNECT_CAUSE: u32 = 273;
/// Auth-Session-State.
pub const AUTH_SESSION_STATE: u32 = 277;
/// Origin-State-Id.
pub const ORIGIN_STATE_ID: u32 = 278;
/// Failed-AVP (grouped).
pub const FAILED_AVP: u32 = 279;
/// Route-Record.
pub const ROUTE_RECORD: u32 = 282;
/// Destination-Realm.
pub const DESTINATION_REALM: u32 = 283;
/// Proxy-Info (grouped).
pub const PROXY_INFO: u32 = 284;
/// Destination-Host.
pub const DESTINATION_HOST: u32 = 293;
/// Origin-Realm.
pub const ORIGIN_REALM: u32 = 296;
/// Experimental-Result (grouped).
pub const EXPERIMENTAL_RESULT: u32 = 297;
/// Experimental-Result-Code.
pub const EXPERIMENTAL_RESULT_CODE: u32 = 298;
/// Inband-Security-Id.
pub const INBAND_SECURITY_ID: u32 = 299;
/// Service-Selection: the APN (RFC 5778).
pub const SERVICE_SELECTION: u32 = 493;
/// Max-Requested-Bandwidth-DL, bits a second (TS 29.214).
pub const MAX_BANDWIDTH_DL: u32 = 515;
/// Max-Requested-Bandwidth-UL, bits a second (TS 29.214).
pub const MAX_BANDWIDTH_UL: u32 = 516;
/// QoS-Class-Identifier (TS 29.212).
pub const QCI: u32 = 1028;
/// RAT-Type (TS 29.212).
pub const RAT_TYPE: u32 = 1032;
/// Allocation-Retention-Priority (grouped, TS 29.212).
pub const ARP: u32 = 1034;
/// Priority-Level (TS 29.212).
pub const PRIORITY_LEVEL: u32 = 1046;
/// Subscription-Data (grouped).
pub const SUBSCRIPTION_DATA: u32 = 1400;
/// ULR-Flags.
pub const ULR_FLAGS: u32 = 1405;
/// ULA-Flags.
pub const ULA_FLAGS: u32 = 1406;
/// Visited-PLMN-Id.
pub const VISITED_PLMN_ID: u32 = 1407;
/// Requested-EUTRAN-Authentication-Info (grouped).
pub const REQUESTED_EUTRAN_AUTHENTICATION_INFO: u32 = 1408;
/// Number-Of-Requested-Vectors.
pub const NUMBER_OF_REQUESTED_VECTORS: u32 = 1410;
/// Immediate-Response-Preferred.
pub const IMMEDIATE_RESPONSE_PREFERRED: u32 = 1412;
/// Authentication-Info (grouped).
pub const AUTHENTICATION_INFO: u32 = 1413;
/// E-UTRAN-Vector (grouped).
pub const E_UTRAN_VECTOR: u32 = 1414;
/// Network-Access-Mode.
pub const NETWORK_ACCESS_MODE: u32 = 1417;
/// Cancellation-Type.
pub const CANCELLATION_TYPE: u32 = 1420;
/// Context-Identifier.
pub const CONTEXT_IDENTIFIER: u32 = 1423;
/// Subscriber-Status.
pub const SUBSCRIBER_STATUS: u32 = 1424;
/// All-APN-Configurations-Included-Indicator.
pub const ALL_APN_INCLUDED: u32 = 1428;
/// APN-Configuration-Profile (grouped).
pub const APN_CONFIGURATION_PROFILE: u32 = 1429;
/// APN-Configuration (grouped).
pub const APN_CONFIGURATION: u32 = 1430;
/// EPS-Subscribed-QoS-Profile (grouped).
pub const EPS_SUBSCRIBED_QOS_PROFILE: u32 = 1431;
/// AMBR (grouped).
pub const AMBR: u32 = 1435;
/// PUA-Flags.
pub const PUA_FLAGS: u32 = 1442;
/// NOR-Flags.
pub const NOR_FLAGS: u32 = 1443;
/// RAND, 16 octets.
pub const RAND: u32 = 1447;
/// XRES.
pub const XRES: u32 = 1448;
/// AUTN, 16 octets.
pub const AUTN: u32 = 1449;
/// KASME, 32 octets.
pub const KASME: u32 = 1450;
/// PDN-Type.
pub const PDN_TYPE: u32 = 1456;
