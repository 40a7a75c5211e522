//! Inputs from seeds: which seed and what is done to it is read from the fuzzer's bytes.

/// Reads a fuzzer's bytes; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        let wide = usize::from(self.octet()) << 8 | usize::from(self.octet());
        wide % limit.max(1)
    }
}

/// One seed with up to seven changes: an octet, a length field's neighbourhood, a cut, a repeat.
pub(crate) fn damaged(seeds: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    damage(seeds, &mut Choices(input))
}

fn damage(seeds: &[Vec<u8>], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut frame = seeds[choices.below(seeds.len())].clone();
    for _ in 0..choices.below(8) {
        let at = choices.below(frame.len());
        match choices.octet() % 6 {
            0 | 1 => frame[at] = choices.octet(),
            2 => frame[at] ^= 1 << (choices.octet() % 8),
            3 => frame.truncate(at.max(4)),
            4 => {
                let piece = frame[at..frame.len().min(at + 4 * choices.below(16))].to_vec();
                frame.splice(at..at, piece);
            }
            _ => drop(frame.drain(at..frame.len().min(at + 4 * choices.below(8))).count()),
        }
        if frame.is_empty() {
            frame.push(choices.octet());
        }
    }
    // Mostly the header says how long the frame now is: what is inside matters more.
    if choices.below(4) > 0 && frame.len() >= 20 {
        frame.resize(frame.len().next_multiple_of(4), 0);
        let octets = u32::try_from(frame.len()).unwrap().to_be_bytes();
        frame[1..4].copy_from_slice(&octets[1..]);
    }
    frame
}

/// A script for [`crate::walk::hold`]: damaged seeds from either peer, in chunks, and time passing.
pub(crate) fn script(seeds: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    let mut choices = Choices(input);
    let mut script = Vec::new();
    for _ in 0..1 + choices.below(12) {
        let frame = damage(seeds, &mut choices);
        let step = choices.octet();
        let cut = if step & 0x80 == 0 { frame.len() } else { choices.below(frame.len()) };
        for chunk in [&frame[..cut], &frame[cut..]] {
            script.push(step & 0x7f);
            script.extend(u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_be_bytes());
            script.extend(&chunk[..chunk.len().min(usize::from(u16::MAX))]);
        }
    }
    script
}
