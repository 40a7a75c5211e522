//! JSON by hand: just what a flat line needs, straight into a buffer that is used again.

/// Appends `value` in decimal.
#[inline(always)]
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `key` (already `,"key":`) and a number.
#[inline(always)]
pub(crate) fn field(out: &mut Vec<u8>, key: &str, value: u64) {
    out.extend_from_slice(key.as_bytes());
    number(out, value);
}

/// Appends `key` (already `,"key":`) and a word of ours, which needs no escaping.
#[inline(always)]
pub(crate) fn word(out: &mut Vec<u8>, key: &str, value: &'static str) {
    bare(out, key, value.as_bytes());
}

/// Appends `key` and bytes known to need no escaping (digits, hex, words of ours), quoted.
#[inline(always)]
pub(crate) fn bare(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

/// Appends `key` and `value` as a JSON string.
#[inline(always)]
pub(crate) fn text(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    string(out, value);
}

/// Appends `value` as a JSON string with its quotes.
//= RFC 8259 §7
pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    if value.bytes().any(needs_escape) {
        value.bytes().for_each(|byte| escape(out, byte));
    } else {
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'"');
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        0..0x20 => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&pair(byte));
        }
        _ => out.push(byte),
    }
}

/// Appends `key` and the bytes as hexadecimal digits, quoted.
#[inline(always)]
pub(crate) fn hex<const N: usize>(out: &mut Vec<u8>, key: &str, bytes: [u8; N]) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    out.extend_from_slice(bytes.map(pair).as_flattened());
    out.push(b'"');
}

/// The two hexadecimal digits of `byte`, in lower case.
const fn pair(byte: u8) -> [u8; 2] {
    /// Both nibbles at once, each in its own byte: 10 and above carry into bit 4.
    const LETTER: u16 = (b'a' - b'0' - 10) as u16;
    let nibbles = (byte as u16 >> 4) | ((byte as u16 & 0xf) << 8);
    let letters = ((nibbles + 0x0606) >> 4) & 0x0101;
    (nibbles + 0x3030 + letters * LETTER).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        for byte in 0..=u8::MAX {
            assert_eq!(pair(byte), format!("{byte:02x}").as_bytes());
        }
    }

    #[test]
    fn any_string_reads_back() {
        let all: String = (0..0x250_u32).filter_map(char::from_u32).collect();
        for value in ["", "plain", "a\"b\\c", "\n\t\u{0}\u{1f}", "naïve – 日本", &all] {
            let mut out = Vec::new();
            string(&mut out, value);
            let back: String = serde_json::from_slice(&out).expect("a JSON string");
            assert_eq!(back, value);
        }
    }
}
