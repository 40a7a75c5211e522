use relay::Stack;

use super::*;
use crate::samples;

fn request(resent: bool, hide_origin: bool) -> Vec<u8> {
    let stack = samples::diameter();
    let frame = samples::ulr();
    let view = stack.view(&frame).expect("a sound frame");
    let onward = Onward::Request { label: 0xaabb_ccdd, asker: samples::MME, resent, hide_origin };
    let mut out = vec![9];
    stack.rewrite(&view, &onward, &mut out);
    assert_eq!(out[0], 9, "what was there before stays");
    out.split_off(1)
}

//= RFC 6733 §6.1.9
#[test]
fn a_request_gains_one_route_record_and_a_label() {
    let (stack, before, after) = (samples::diameter(), samples::ulr(), request(false, false));
    let view = stack.view(&after).expect("a sound frame");
    assert_eq!(view.header.hop_by_hop, 0xaabb_ccdd);
    assert_eq!(view.header.flags, 0xc0);
    let record = view.avps().last().expect("an AVP");
    assert_eq!((record.code, record.data), (code::ROUTE_RECORD, &b"mme1.visited.lab"[..]));
    assert_eq!(after[4..12], before[4..12]);
    assert_eq!(after[16..before.len()], before[16..], "what is not changed stays");
    assert_eq!(after.len(), before.len() + 24);
}

#[test]
fn a_resent_request_says_so() {
    assert_eq!(request(true, false)[4], 0xd0);
}

#[test]
fn a_hidden_origin_is_ours() {
    let (stack, after) = (samples::diameter(), request(false, true));
    let view = stack.view(&after).expect("a sound frame");
    assert_eq!(view.origin_host, Some(&b"gw.ipx.lab"[..]));
    assert_eq!(view.origin_realm, Some(&b"visited.lab"[..]));
    assert!(view.avps().all(|avp| avp.code != code::ROUTE_RECORD));
    assert_eq!(view.user_name, Some(&b"214070000000001"[..]));
}

#[test]
fn an_answer_with_its_own_label_is_byte_identical() {
    let stack = samples::diameter();
    let mut frame = samples::ulr();
    frame[4] = 0x40;
    let view = stack.view(&frame).expect("a sound frame");
    let mut out = Vec::new();
    stack.rewrite(&view, &Onward::Answer { label: view.header.hop_by_hop }, &mut out);
    assert_eq!(out, frame);
    out.clear();
    stack.rewrite(&view, &Onward::Answer { label: 5 }, &mut out);
    assert_eq!((&out[..12], &out[12..16]), (&frame[..12], &[0, 0, 0, 5][..]));
    assert_eq!(out[16..], frame[16..]);
}

#[test]
fn an_overlong_name_is_cut_where_dns_ends() {
    let mut buffer = [0; IDENTITY_AVP_OCTETS];
    assert_eq!(identity(&mut buffer, 282, &[b'x'; 999]).len(), IDENTITY_AVP_OCTETS);
    let mut buffer = [0; IDENTITY_AVP_OCTETS];
    assert_eq!(identity(&mut buffer, 282, b"abc").len(), 12);
}

#[test]
fn a_destination_that_is_ours_is_taken_out() {
    let stack = samples::diameter();
    let names: [(u32, &[u8]); 5] =
        [(293, b"GW.ipx.lab"), (264, b"mme"), (296, b"r"), (283, b"home.lab"), (99_999, b"x")];
    let mut frame = samples::message(0xc0, 9, (1, 2), &names);
    frame[11] = 9;
    let view = stack.view(&frame).expect("a sound frame");
    let codes = |hide_origin| {
        let onward = Onward::Request { label: 1, asker: samples::MME, resent: false, hide_origin };
        let mut out = Vec::new();
        stack.rewrite(&view, &onward, &mut out);
        let after = stack.view(&out).expect("a sound frame");
        after.avps().map(|avp| avp.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(false), [264, 296, 283, 99_999, code::ROUTE_RECORD]);
    assert_eq!(codes(true), [264, 296, 283, 99_999]);
}
