//! Point codes and how people write them.

use std::fmt;

/// Whose point codes and SCCP addresses are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// 14 bits, written 3-8-3.
    //= Q.708 §2
    Itu,
    /// 24 bits, written 8-8-8.
    //= T1.111.4 §2.2
    Ansi,
}

/// A signalling point code, right-justified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointCode(pub u32);

impl Variant {
    /// The largest point code.
    #[must_use]
    pub const fn point_code_max(self) -> u32 {
        match self {
            Self::Itu => (1 << 14) - 1,
            Self::Ansi => (1 << 24) - 1,
        }
    }
}

impl PointCode {
    /// How people of this variant write it.
    #[must_use]
    pub const fn shown(self, variant: Variant) -> Shown {
        Shown(self, variant)
    }
}

/// A point code as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Shown(PointCode, Variant);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(PointCode(code), variant) = *self;
        match variant {
            Variant::Itu => write!(f, "{}-{}-{}", code >> 11, code >> 3 & 0xff, code & 7),
            Variant::Ansi => write!(f, "{}-{}-{}", code >> 16, code >> 8 & 0xff, code & 0xff),
        }
    }
}
