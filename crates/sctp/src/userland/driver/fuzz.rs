//! What the endpoint's thread does with any packets at all, and with damaged ones of an association:
//! nothing panics, not even behind the net that is stretched under the engine, nothing grows, and
//! nobody who was not let in gets an association.

use super::*;
use crate::interface::Event;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PORTS: (u16, u16) = (2905, 2906);
const UDP_PORT: u16 = 9899;
/// Inputs in one run as a test.
const INPUTS: usize = 3_000;

/// An endpoint without sockets.
fn driver(accepted: mpsc::Sender<Association>) -> Driver {
    let (_, connects) = mpsc::channel(1);
    let (driver, _) = Driver::new(Plan {
        ways: Vec::new(),
        port: PORTS.0,
        settings: Settings { receive_octets_max: 1 << 17, ..Settings::default() },
        admits: Arc::new(|from| from == [HERE]),
        bell: Arc::new(Bell::default()),
        counters: Arc::new(Counters::default()),
        accepted,
        connects,
        baker: Baker::new().expect("randomness"),
    });
    driver
}

/// A peer's side of an association with it, and the association's number.
fn associated(driver: &mut Driver) -> (Peer, usize) {
    let shared = Shared::new(
        Limits { receive_octets: 1 << 17, send_octets: 1 << 17 },
        Arc::new(Bell::default()),
        0,
    );
    let settings = Settings::default();
    let mut peer = Peer::new(Birth {
        options: peer::options(&settings, PORTS.1, PORTS.0),
        shared: Arc::new(shared),
        port: PORTS.0,
        paths: vec![(HERE, UDP_PORT)],
        streams_out: settings.streams_out,
        silence_ms: 1_000,
        send_octets: 1 << 17,
        now_ms: 0,
    });
    let number = driver.add(vec![(HERE, UDP_PORT)], PORTS.1, 16).expect("room");
    peer.connect(0);
    for _ in 0..3 {
        for packet in sent(&mut peer) {
            driver.known_input(number, &packet);
        }
        let there = driver.peers[number].as_mut().expect("alive");
        for packet in sent(there) {
            peer.input(&packet, 0);
        }
    }
    let mut there = driver.peers[number].take().expect("alive");
    assert_eq!(there.stage, Stage::Up);
    driver.up(number, &mut there);
    driver.peers[number] = Some(there);
    (peer, number)
}

fn sent(peer: &mut Peer) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    peer.turn(0, |packet, _| packets.push(packet));
    packets
}

impl Driver {
    /// A packet of the handshake, without the cookie's wrapping.
    fn known_input(&mut self, number: usize, packet: &[u8]) {
        self.peers[number].as_mut().expect("alive").input(packet, 0);
    }
}

/// The packet with another tag, where one is given, and the right checksum.
fn sealed(packet: &mut [u8], tag: Option<u32>) {
    if let Some(tag) = tag.filter(|_| packet.len() >= 8) {
        packet[4..8].copy_from_slice(&tag.to_be_bytes());
    }
    if packet.len() >= 12 {
        packet[8..12].fill(0);
        let sum = crc32c::crc32c(packet);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
    }
}

/// One packet a step: made up behind a good header, or a real one with some octets changed.
fn hold(input: &[u8]) {
    let (accepted, mut came) = mpsc::channel(4);
    let mut driver = driver(accepted);
    let (mut client, number) = associated(&mut driver);
    let tag = driver.peers[number].as_ref().map(Peer::tag);
    let mut rest = input;
    while let [kind, length, after @ ..] = rest {
        let (part, next) = after.split_at(after.len().min(usize::from(*length)));
        rest = next;
        let mut packet = if kind & 1 == 0 {
            let mut packet = PORTS.1.to_be_bytes().to_vec();
            packet.extend_from_slice(&PORTS.0.to_be_bytes());
            packet.extend_from_slice(&[0; 8]);
            packet.extend_from_slice(part);
            packet
        } else {
            let _full = client.shared.try_send(u16::from(kind >> 4), 3, &[*kind; 300]);
            let mut real = sent(&mut client).pop().unwrap_or_default();
            for change in part.chunks_exact(2) {
                let at = usize::from(change[0]) % real.len().max(1);
                if let Some(octet) = real.get_mut(at).filter(|_| at >= 12) {
                    *octet ^= change[1];
                }
            }
            real
        };
        // Zero for an INIT, the association's own, or whatever it says.
        sealed(&mut packet, [Some(0), tag, tag, None][usize::from(kind >> 1 & 3)]);
        driver.packet(&packet, HERE, UDP_PORT, 0);
        driver.packet(&packet, [127, 0, 0, 9].into(), UDP_PORT, 0);
        driver.turn();
    }
    assert_eq!(driver.counters.get("engine fault"), 0);
    assert!(driver.peers.iter().flatten().count() <= 1 && driver.paths.len() <= 1);
    assert!(came.try_recv().is_ok(), "the one that was made");
    assert!(came.try_recv().is_err(), "and no other");
}

#[test]
fn packets() {
    bolero::check!().with_iterations(INPUTS).with_max_len(1_500).for_each(hold);
}

#[test]
fn a_sound_association_passes_what_is_sound() {
    let (accepted, mut came) = mpsc::channel(4);
    let mut driver = driver(accepted);
    let (mut client, number) = associated(&mut driver);
    let tag = driver.peers[number].as_ref().map(Peer::tag);
    let mut association = came.try_recv().expect("up");
    client.shared.try_send(1, 3, b"sound").expect("room");
    for mut packet in sent(&mut client) {
        sealed(&mut packet, tag);
        driver.packet(&packet, HERE, UDP_PORT, 0);
        driver.turn();
    }
    let waker = std::task::Waker::noop();
    let Poll::Ready(Event::Data(message)) = association.poll_event(&mut Context::from_waker(waker))
    else {
        panic!("the message")
    };
    assert_eq!(&message.octets[..], b"sound");
}
