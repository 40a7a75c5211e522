//! Patches: what a relay changes in a frame it otherwise passes byte for byte.

/// Most patches one rewrite may carry.
pub const PATCHES_MAX: usize = 16;

/// An ordered list of replacements over a frame. Offsets ascend and do not overlap; what is between
/// them is copied as it is. Fixed size: making one does not allocate.
#[derive(Clone, Copy, Debug)]
pub struct Patches<'a> {
    list: [Patch<'a>; PATCHES_MAX],
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Patch<'a> {
    offset: usize,
    remove: usize,
    insert: &'a [u8],
}

impl<'a> Patches<'a> {
    /// No patch: the frame leaves as it came.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: [Patch { offset: 0, remove: 0, insert: &[] }; PATCHES_MAX], count: 0 }
    }

    /// Replaces `remove` octets at `offset` by `insert`. False, and nothing is added, when the
    /// list is full or the offset lies before the end of the previous patch.
    #[must_use]
    pub fn replace(&mut self, offset: usize, remove: usize, insert: &'a [u8]) -> bool {
        let floor = self.count.checked_sub(1).and_then(|last| self.list.get(last));
        if floor.is_some_and(|last| offset < last.offset + last.remove) {
            return false;
        }
        let Some(slot) = self.list.get_mut(self.count) else { return false };
        *slot = Patch { offset, remove, insert };
        self.count += 1;
        true
    }

    /// How many octets longer (or shorter) the patched frame is.
    #[must_use]
    pub fn growth(&self) -> isize {
        let patches = self.list.iter().take(self.count);
        patches.map(|patch| patch.insert.len().cast_signed() - patch.remove.cast_signed()).sum()
    }

    /// Appends the patched frame to `out`; false, with `out` as it was, when a patch reaches past
    /// the end of the frame.
    #[must_use]
    pub fn apply(&self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut at = 0;
        for patch in self.list.iter().take(self.count) {
            let end = patch.offset.saturating_add(patch.remove);
            let (Some(kept), true) = (frame.get(at..patch.offset), end <= frame.len()) else {
                out.truncate(start);
                return false;
            };
            out.extend_from_slice(kept);
            out.extend_from_slice(patch.insert);
            at = end;
        }
        out.extend_from_slice(frame.get(at..).unwrap_or_default());
        true
    }
}

impl Default for Patches<'_> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_patch_is_byte_identical() {
        let mut out = vec![9];
        assert!(Patches::new().apply(b"frame", &mut out));
        assert_eq!(out, b"\x09frame");
    }

    #[test]
    fn replaces_inserts_and_removes() {
        let mut patches = Patches::new();
        assert!(patches.replace(0, 1, b"F"));
        assert!(patches.replace(2, 0, b"--"));
        assert!(patches.replace(4, 1, b""));
        assert!(!patches.replace(3, 1, b"x"), "overlaps");
        assert_eq!(patches.growth(), 1);
        let mut out = Vec::new();
        assert!(patches.apply(b"frame", &mut out));
        assert_eq!(out, b"Fr--am");
        assert!(!patches.apply(b"fr", &mut out), "reaches past the end");
        assert_eq!(out, b"Fr--am");
    }

    #[test]
    fn a_full_list_says_so() {
        let mut patches = Patches::new();
        for i in 0..PATCHES_MAX {
            assert!(patches.replace(i, 0, b"x"));
        }
        assert!(!patches.replace(99, 0, b"x"));
    }
}
