//! Diameter messages into a capture file, for other people's dissectors.

use std::path::Path;

use etherparse::PacketBuilder;

/// A capture of raw IP packets.
const RAW: u32 = 101;
/// The longest packet a reader needs to expect.
const SNAP_OCTETS: u32 = 1 << 18;

/// Writes a capture with each message in a TCP segment of its own, to port 3868 of a fresh
/// connection, so that no dissector needs a message that stands before.
///
/// # Errors
/// The file cannot be written, or a message does not fit into a packet.
pub fn write(path: &Path, messages: &[Vec<u8>]) -> Result<(), String> {
    // Magic number, version 2.4, time zone, accuracy, longest packet, kind of link.
    let head = [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, SNAP_OCTETS, RAW];
    let mut file: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
    for (number, message) in (0_u16..).zip(messages) {
        let packet = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).tcp(
            10_000 + number,
            3868,
            1,
            4096,
        );
        let mut octets = Vec::new();
        packet.write(&mut octets, message).map_err(|error| error.to_string())?;
        let length = u32::try_from(octets.len()).map_err(|error| error.to_string())?;
        let record = [u32::from(number), 0, length, length];
        file.extend(record.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(octets);
    }
    std::fs::write(path, file).map_err(|error| error.to_string())
}
