//! MAP peers over M3UA, for the 2G/3G side: homes that answer and visited nodes that ask and check.

pub mod asp;
pub mod hlr;
pub mod home;
pub mod links;
pub mod load;
pub mod map;
pub mod message;
pub mod outcome;
pub mod table;
pub mod title;
pub mod visited;

/// SCCP messages to send, each with its signalling link selection.
pub type Outbox = Vec<(u8, Vec<u8>)>;

/// Appends a unitdata message of the dialogue `id`: in sequence, so one link selection for all.
fn send(unit: message::Unit, extended: bool, id: u32, out: &mut Outbox) {
    let [.., low] = id.to_be_bytes();
    out.push((low & 0xf, unit.write(extended, true)));
}
