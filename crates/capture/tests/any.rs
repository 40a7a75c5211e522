//! A capture is anybody's bytes: reading one never panics, ends, and keeps its limits.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test writes files")]

use std::path::PathBuf;

use proptest::prelude::*;

fn file(name: &str, octets: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{name}-{}", std::process::id()));
    std::fs::write(&path, octets).unwrap();
    path
}

/// The header of a pcap file of raw IP packets, then packets of these octets.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let head = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 1 << 18, link];
    let mut file: Vec<u8> = head.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    for packet in packets {
        let length = packet.len() as u32;
        file.extend([7, 0, length, length].iter().flat_map(|word: &u32| word.to_le_bytes()));
        file.extend(packet);
    }
    file
}

/// A pcapng file with one interface and these blocks of any kind.
fn pcapng(link: u16, blocks: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let body_octets = body.len().next_multiple_of(4);
        let length = (12 + body_octets) as u32;
        let mut block = [kind.to_le_bytes(), length.to_le_bytes()].concat();
        block.extend(body);
        block.resize(8 + body_octets, 0);
        block.extend(length.to_le_bytes());
        block
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut file = block(0x0a0d_0d0a, &section);
    file.extend(block(1, &[&link.to_le_bytes()[..], &[0, 0], &[0, 0, 4, 0]].concat()));
    blocks.iter().for_each(|(kind, body)| file.extend(block(*kind, body)));
    file
}

/// An IPv4 packet of this protocol around any octets.
fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend([192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(payload);
    packet
}

/// Something that begins as TCP to port 3868 or SCTP would, and goes on anyhow.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    let some = || prop::collection::vec(any::<u8>(), 0..120);
    let tcp = (any::<[u8; 4]>(), any::<u8>(), some()).prop_map(|(sequence, flags, payload)| {
        let mut segment = vec![0x0f, 0x1c, 0x0f, 0x1c];
        segment.extend(sequence.map(|octet| octet & 0x1f));
        segment.extend([0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        segment.extend(payload);
        ip(6, &segment)
    });
    let sctp = (any::<u8>(), any::<u8>(), prop::sample::select(vec![0_u8, 3, 46]), some())
        .prop_map(|(flags, tsn, ppid, payload)| {
            let mut packet = vec![0x0f, 0x1c, 0x0f, 0x1c, 0, 0, 0, 1, 0, 0, 0, 0];
            let length = (16 + payload.len()) as u8;
            packet.extend([0, flags & 3, 0, length, 0, 0, 0, tsn, 0, 0, 0, 0, 0, 0, 0, ppid]);
            packet.extend(payload);
            ip(132, &packet)
        });
    prop_oneof![tcp, sctp, some()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_file(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = capture::read(&file("any", &octets), |_| {});
    }

    #[test]
    fn any_packets(
        link in prop::sample::select(vec![1_u32, 101, 113, 276, 228, 229, 77]),
        packets in prop::collection::vec(segment(), 0..30),
        cut in 0_usize..40,
    ) {
        let mut octets = pcap(link, &packets);
        octets.truncate(octets.len().saturating_sub(cut));
        let tally = capture::read(&file("packets", &octets), |message| {
            assert!(message.octets.len() <= capture::MESSAGE_OCTETS_MAX);
        });
        if cut == 0 {
            let tally = tally.unwrap();
            prop_assert_eq!(tally.frames as usize, packets.len());
            prop_assert!(!tally.torn);
        }
    }

    #[test]
    fn any_blocks(
        link in prop::sample::select(vec![1_u16, 101, 113, 276]),
        blocks in prop::collection::vec(
            (prop::sample::select(vec![1_u32, 2, 3, 5, 6, 0x0a0d_0d0a, 0xbad]), segment()), 0..12),
    ) {
        let _ = capture::read(&file("blocks", &pcapng(link, &blocks)), |_| {});
    }
}

#[test]
fn what_is_told_is_what_stands_there() {
    let message: Vec<u8> = [1, 0, 0, 20].into_iter().chain(4..20).collect();
    let mut segment =
        vec![0x30, 0x39, 0x0f, 0x1c, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0];
    segment.extend(&message);
    let packet = ip(6, &segment);
    let cooked = |octets: usize| [vec![0; octets], packet.clone()].concat();
    for (link, packet) in [(101, packet.clone()), (113, cooked(16)), (276, cooked(20))] {
        let mut found = Vec::new();
        let path = file("told", &pcap(link, &[packet]));
        let tally = capture::read(&path, |message| found.push(message)).unwrap();
        assert_eq!(found.len(), 1, "link type {link}");
        assert_eq!((found[0].number, found[0].time_us), (1, 7_000_000));
        assert_eq!((&found[0].octets, found[0].flow.from.1), (&message, 12_345));
        assert_eq!(tally, capture::Tally { frames: 1, ..capture::Tally::default() });
    }
}

#[test]
fn sctp_is_found_over_ip_and_inside_udp() {
    let m3ua = [1, 0, 1, 1, 0, 0, 0, 8];
    let mut sctp = vec![0x0b, 0x59, 0x0b, 0x59, 0, 0, 0, 1, 0, 0, 0, 0];
    sctp.extend([0, 3, 0, 24, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 3]);
    sctp.extend(m3ua);
    let mut again = sctp.clone();
    again[19] = 10;
    let length = u16::try_from(8 + again.len()).unwrap().to_be_bytes();
    let udp = [&[0x30, 0x39, 0x26, 0xab, length[0], length[1], 0, 0][..], &again].concat();
    let mut found = Vec::new();
    let path = file("sctp", &pcap(101, &[ip(132, &sctp), ip(17, &udp), ip(132, &sctp)]));
    let tally = capture::read(&path, |message| found.push(message)).unwrap();
    let told: Vec<_> = found.iter().map(|message| (message.number, message.protocol)).collect();
    assert_eq!(told, [(1, capture::Protocol::M3ua), (2, capture::Protocol::M3ua)], "no repeats");
    assert!(found.iter().all(|message| message.octets == m3ua));
    assert_eq!((tally.frames, tally.unread, tally.lost), (3, 0, 0));
}
