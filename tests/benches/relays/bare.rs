//! The least that a Diameter relay can do, to measure against: frame by length, swap the
//! Hop-by-Hop Identifier, swap it back. One thread; a connection to a home for each that comes.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const HEADER: usize = 20;
const HOP_BY_HOP: usize = 12;
const BUFFER: usize = 256 << 10;

/// Relays from `listen` to `homes` in turn until the process is ended.
pub(crate) fn serve(listen: SocketAddr, homes: &[SocketAddr]) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(listen).await?;
        for home in homes.iter().cycle() {
            let (asker, _) = listener.accept().await?;
            let home = TcpStream::connect(home).await?;
            asker.set_nodelay(true)?;
            home.set_nodelay(true)?;
            let (from_asker, to_asker) = asker.into_split();
            let (from_home, to_home) = home.into_split();
            let (asked, called) = (Rc::default(), Rc::default());
            tokio::task::spawn_local(pump(
                from_asker,
                to_home,
                Rc::clone(&asked),
                Rc::clone(&called),
            ));
            tokio::task::spawn_local(pump(from_home, to_asker, called, asked));
        }
        Ok(())
    })
}

/// The identifiers of open requests of one direction, by the identifiers we gave them.
#[derive(Default)]
struct Open {
    next: u32,
    given: Vec<[u8; 4]>,
}

impl Open {
    fn slot(&mut self, ours: u32) -> Option<&mut [u8; 4]> {
        self.given.resize(1 << 16, [0; 4]);
        self.given.get_mut(ours as usize & 0xffff)
    }

    fn swap(&mut self, theirs: &mut [u8; 4]) {
        let ours = self.next;
        self.next = ours.wrapping_add(1);
        if let Some(slot) = self.slot(ours) {
            *slot = std::mem::replace(theirs, ours.to_be_bytes());
        }
    }

    fn swap_back(&mut self, ours: &mut [u8; 4]) {
        if let Some(theirs) = self.slot(u32::from_be_bytes(*ours)) {
            *ours = *theirs;
        }
    }
}

/// One direction. `mine` are the requests that go this way, `other` those that came against it.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mine: Rc<RefCell<Open>>,
    other: Rc<RefCell<Open>>,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER);
    while from.read_buf(&mut buffer).await? > 0 {
        let whole = walk(&mut buffer, &mut mine.borrow_mut(), &mut other.borrow_mut())?;
        to.write_all(buffer.get(..whole).unwrap_or_default()).await?;
        buffer.drain(..whole);
    }
    to.shutdown().await
}

/// Swaps the identifiers of all whole frames and returns where the last one ends.
fn walk(buffer: &mut [u8], mine: &mut Open, other: &mut Open) -> io::Result<usize> {
    let mut start = 0;
    while let Some(rest) = buffer.get_mut(start..)
        && let Some([_, a, b, c, flags]) = rest.first_chunk().copied()
    {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length < HEADER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(frame) = rest.get_mut(..length) else { break };
        let id = frame.get_mut(HOP_BY_HOP..).and_then(<[u8]>::first_chunk_mut);
        match id {
            Some(id) if flags & 0x80 != 0 => mine.swap(id),
            Some(id) => other.swap_back(id),
            None => {}
        }
        start += length;
    }
    Ok(start)
}
