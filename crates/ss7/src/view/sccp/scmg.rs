//! SCCP management: which subsystems are there.

use crate::view::m3ua::PointCode;

/// What a management message says.
//= Q.713 §5.2.1
#[allow(missing_docs, reason = "the standard's own names")]
pub mod format {
    pub const SSA: u8 = 1;
    pub const SSP: u8 = 2;
    pub const SST: u8 = 3;
    pub const SOR: u8 = 4;
    pub const SOG: u8 = 5;
    pub const SSC: u8 = 6;
}

/// A management message.
//= Q.713 §5.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Management {
    /// What it says.
    pub format: u8,
    /// About which subsystem.
    pub ssn: u8,
    /// Of which node.
    pub point_code: PointCode,
}

impl Management {
    /// Reads the user's part of a message to subsystem 1.
    #[must_use]
    pub fn read(data: &[u8], ansi: bool) -> Option<Self> {
        let (format, ssn) = (*data.first()?, *data.get(1)?);
        let octet = |place| data.get(place).copied().map(u32::from);
        let code = if ansi {
            octet(2)? | octet(3)? << 8 | octet(4)? << 16
        } else {
            octet(2)? | (octet(3)? & 0x3f) << 8
        };
        Some(Self { format, ssn, point_code: PointCode(code) })
    }

    /// Appends it.
    pub fn write(&self, ansi: bool, out: &mut Vec<u8>) {
        let [a, b, c, _] = self.point_code.0.to_le_bytes();
        out.extend_from_slice(&[self.format, self.ssn, a, b]);
        if ansi {
            out.push(c);
        }
        out.push(0);
    }
}
