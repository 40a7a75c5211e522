//! All that is unsafe: the four system calls that only libc has (options of SCTP sockets, batches of
//! messages with their ancillary data), octets in and octets out, and the event loop's word of honour.
#![allow(
    unsafe_code,
    reason = "SCTP's socket options and ancillary data have no safe binding; nothing else here does"
)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};
use socket2::Socket;
use tokio::io::unix::AsyncFd;

/// The level of SCTP's socket options and ancillary data.
const SOL_SCTP: c_int = 132;
/// Ancillary data with a message that is sent.
const SCTP_SNDINFO: c_int = 2;
/// Ancillary data with a message that was received.
const SCTP_RCVINFO: c_int = 3;
/// What was received is an event of the association instead of data.
const MSG_NOTIFICATION: c_int = 0x8000;

/// Messages given to the kernel, or taken from it, with one call.
pub(super) const BATCH: usize = 16;

/// What goes with a message that is sent. //= RFC 6458 §5.3.4
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) stream: u16,
    pub(super) ppid: u32,
    /// How long it is.
    pub(super) octets: usize,
}

/// One piece that was received.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// Octets written to its place.
    pub(super) octets: usize,
    /// The message or the event ends with it.
    pub(super) last: bool,
    /// It belongs to an event of the association.
    pub(super) notification: bool,
    pub(super) stream: u16,
    pub(super) ppid: u32,
    pub(super) unordered: bool,
}

/// Room for one piece of ancillary data, aligned as its header must be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

/// What the larger of the two takes: a header of 16 octets and 28 of `sctp_rcvinfo`, aligned.
const CONTROL_OCTETS: usize = 48;

/// What the kernel is told about each message of a batch.
struct Batch {
    headers: [libc::mmsghdr; BATCH],
    vectors: [libc::iovec; BATCH],
    controls: [Control; BATCH],
}

impl Batch {
    fn new() -> Self {
        // SAFETY: all zeroes is a valid `mmsghdr`: null pointers with lengths of nothing.
        let empty: libc::mmsghdr = unsafe { mem::zeroed() };
        Self {
            headers: [empty; BATCH],
            vectors: [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH],
            controls: [Control([0; CONTROL_OCTETS]); BATCH],
        }
    }

    /// The places of its messages.
    fn places(
        &mut self,
    ) -> impl Iterator<Item = (&mut libc::msghdr, &mut libc::iovec, &mut Control)> {
        let headers = self.headers.iter_mut().map(|header| &mut header.msg_hdr);
        headers
            .zip(&mut self.vectors)
            .zip(&mut self.controls)
            .map(|((header, vector), control)| (header, vector, control))
    }
}

/// Puts a socket into this thread's event loop.
///
/// # Errors
/// The kernel's.
pub(crate) fn watched(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a `Socket` owns its descriptor, always answers with the same one, and keeps it open
    // until it is dropped; nobody here replaces it inside its `AsyncFd`.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Sets an option of level SCTP.
///
/// # Errors
/// The kernel's.
pub(super) fn set_option(socket: BorrowedFd<'_>, option: c_int, value: &[u8]) -> io::Result<()> {
    let length = socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `value` is readable for `length` octets during the call, and the kernel only reads.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), SOL_SCTP, option, value.as_ptr().cast(), length)
    };
    // SCTP_SOCKOPT_CONNECTX answers with the association's number.
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads an option of level SCTP into `value`.
///
/// # Errors
/// The kernel's.
pub(super) fn get_option(
    socket: BorrowedFd<'_>,
    option: c_int,
    value: &mut [u8],
) -> io::Result<()> {
    let mut length = socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `value` is writable for `length` octets during the call, and so is `length`.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            SOL_SCTP,
            option,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends messages that lie one behind the other in `octets`, at most [`BATCH`], each whole or not at
/// all; how many from the first on. With `more` they may wait for others to share packets with.
///
/// # Errors
/// The kernel's about the first; `WouldBlock` while its buffer is full.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    messages: &[Sending],
    mut octets: &[u8],
    more: bool,
) -> io::Result<usize> {
    let mut batch = Batch::new();
    let mut count = 0;
    for (message, (header, vector, control)) in messages.iter().zip(batch.places()) {
        let Some((first, rest)) = octets.split_at_checked(message.octets) else { break };
        octets = rest;
        *vector = libc::iovec { iov_base: first.as_ptr().cast_mut().cast(), iov_len: first.len() };
        point(header, vector, control);
        describe(header, *message);
        count += 1;
    }
    let more = if more { libc::MSG_MORE } else { 0 };
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | more;
    // SAFETY: the first `count` headers point to octets of `octets` and to vectors and controls of
    // `batch`, which all outlive the call; the kernel only reads what they point to.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), batch.headers.as_mut_ptr(), count, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Notes in a header's ancillary data what goes with its message.
fn describe(header: &mut libc::msghdr, message: Sending) {
    let info = libc::sctp_sndinfo {
        snd_sid: message.stream,
        snd_flags: 0,
        // The kernel passes it on as it stands. //= RFC 6458 §5.3.4
        snd_ppid: message.ppid.to_be(),
        snd_context: 0,
        snd_assoc_id: 0,
    };
    let size = size_of_val(&info) as u32;
    // SAFETY: the control that `header` points to has CONTROL_OCTETS, which is no less than
    // CMSG_SPACE of the structure, and is aligned for `cmsghdr`; so CMSG_FIRSTHDR is not null, and
    // its data are in bounds.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(size) as usize;
        let first = libc::CMSG_FIRSTHDR(ptr::from_ref(header));
        (*first).cmsg_level = SOL_SCTP;
        (*first).cmsg_type = SCTP_SNDINFO;
        (*first).cmsg_len = libc::CMSG_LEN(size) as usize;
        ptr::write_unaligned(libc::CMSG_DATA(first).cast(), info);
    }
}

/// Receives messages and events, or as much of one as the kernel has or its place holds: one for
/// each of `places`, at most [`BATCH`]. How many of `pieces` say now what there is.
///
/// # Errors
/// The kernel's; `WouldBlock` when there is nothing.
pub(super) fn receive<'a>(
    socket: BorrowedFd<'_>,
    places: impl Iterator<Item = &'a mut [u8]>,
    pieces: &mut [Piece; BATCH],
) -> io::Result<usize> {
    let mut batch = Batch::new();
    let mut count = 0;
    for (place, (header, vector, control)) in places.zip(batch.places()) {
        *vector = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
        point(header, vector, control);
        count += 1;
    }
    // SAFETY: the first `count` headers point to places that are borrowed for longer than the call,
    // to which the kernel writes at most their length, and to CONTROL_OCTETS each of `batch`.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            batch.headers.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT,
            ptr::null_mut(),
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for (piece, header) in pieces.iter_mut().zip(&batch.headers).take(received) {
        let flags = header.msg_hdr.msg_flags;
        *piece = Piece {
            octets: header.msg_len as usize,
            last: flags & libc::MSG_EOR != 0,
            notification: flags & MSG_NOTIFICATION != 0,
            ..Piece::default()
        };
        if let Some(info) = receive_info(&header.msg_hdr) {
            piece.stream = info.rcv_sid;
            piece.ppid = u32::from_be(info.rcv_ppid);
            piece.unordered = i32::from(info.rcv_flags) & libc::SCTP_UNORDERED != 0;
        }
    }
    Ok(received)
}

/// Points a header to its octets and its ancillary data.
fn point(header: &mut libc::msghdr, vector: &mut libc::iovec, control: &mut Control) {
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = ptr::from_mut(control).cast::<c_void>();
    header.msg_controllen = CONTROL_OCTETS;
}

/// What the kernel said about the data, if it said so. //= RFC 6458 §5.3.5
fn receive_info(header: &libc::msghdr) -> Option<libc::sctp_rcvinfo> {
    // SAFETY: `header` was filled by recvmsg and its ancillary data are alive; the CMSG functions
    // walk within `msg_controllen`, and a length of CMSG_LEN says that the structure is all there.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = next.as_ref() {
            let size = size_of::<libc::sctp_rcvinfo>() as u32;
            if found.cmsg_level == SOL_SCTP
                && found.cmsg_type == SCTP_RCVINFO
                && found.cmsg_len >= libc::CMSG_LEN(size) as usize
            {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(found).cast()));
            }
            next = libc::CMSG_NXTHDR(header, found);
        }
    }
    None
}
