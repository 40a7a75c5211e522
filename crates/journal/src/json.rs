//! JSON by hand: just what a flat line needs, straight into a buffer that is used again.

/// Appends `value` in decimal.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `key` (already `,"key":`) and a number.
pub(crate) fn field(out: &mut Vec<u8>, key: &str, value: u64) {
    out.extend_from_slice(key.as_bytes());
    number(out, value);
}

/// Appends `key` (already `,"key":`) and a word of ours, which needs no escaping.
pub(crate) fn word(out: &mut Vec<u8>, key: &str, value: &'static str) {
    bare(out, key, value.as_bytes());
}

/// Appends `key` and bytes known to need no escaping (digits, hex, words of ours), quoted.
pub(crate) fn bare(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

/// Appends `key` and `value` as a JSON string.
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
            out.extend_from_slice(&hex(byte));
        }
        _ => out.push(byte),
    }
}

/// The two hexadecimal digits of `byte`, in lower case.
pub(crate) const fn hex(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
    }
    [digit(byte >> 4), digit(byte & 0xf)]
}

#[cfg(test)]
mod tests {
    use super::*;

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
