//! Reads of numbers, big-endian unless the name says otherwise.

/// Two octets at `offset`.
#[must_use]
pub fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Two octets at `offset`, the low one first.
#[must_use]
pub fn le16(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Three octets at `offset`.
#[must_use]
pub fn be24(bytes: &[u8], offset: usize) -> Option<u32> {
    let [a, b, c] = *bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// Four octets at `offset`.
#[must_use]
pub fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Eight octets at `offset`.
#[must_use]
pub fn be64(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// `len` rounded up to a multiple of four.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    (len + 3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(be16(&bytes, 6), Some(0x0708));
        assert_eq!(be16(&bytes, 7), None);
        assert_eq!((le16(&bytes, 6), le16(&bytes, 7)), (Some(0x0807), None));
        assert_eq!(be24(&bytes, 0), Some(0x01_0203));
        assert_eq!(be24(&bytes, 6), None);
        assert_eq!(be32(&bytes, 4), Some(0x0506_0708));
        assert_eq!(be32(&bytes, usize::MAX), None);
        assert_eq!(be64(&bytes, 0), Some(0x0102_0304_0506_0708));
        assert_eq!(be64(&bytes, 1), None);
        assert_eq!([0, 1, 4, 5].map(padded_len), [0, 4, 4, 8]);
    }
}
