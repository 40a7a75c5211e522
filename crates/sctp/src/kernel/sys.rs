//! All that is unsafe: the four system calls that only libc has (options of SCTP sockets, messages
//! with their ancillary data), octets in and octets out, and the event loop's word of honour.
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

/// What goes with a message that is sent. //= RFC 6458 §5.3.4
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) stream: u16,
    pub(super) ppid: u32,
    /// It may wait for others to share a packet with.
    pub(super) more: bool,
}

/// One piece that was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Octets written to the buffer.
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
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

/// More than the larger of the two takes: a header of 16 octets and 28 of `sctp_rcvinfo`.
const CONTROL_OCTETS: usize = 64;

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

/// Sends one whole message, or nothing.
///
/// # Errors
/// The kernel's; `WouldBlock` while its buffer is full.
pub(super) fn send(socket: BorrowedFd<'_>, message: &[u8], with: Sending) -> io::Result<()> {
    let info = libc::sctp_sndinfo {
        snd_sid: with.stream,
        snd_flags: 0,
        // The kernel passes it on as it stands. //= RFC 6458 §5.3.4
        snd_ppid: with.ppid.to_be(),
        snd_context: 0,
        snd_assoc_id: 0,
    };
    let mut control = Control([0; CONTROL_OCTETS]);
    let mut vector =
        libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    let sent = {
        let mut header = header(&mut vector, &mut control);
        let size = size_of_val(&info) as u32;
        // SAFETY: `control` has CONTROL_OCTETS, which is more than CMSG_SPACE of either structure,
        // and is aligned for `cmsghdr`; so CMSG_FIRSTHDR is not null, and its data are in bounds.
        // The kernel only reads `message` and `control`, which both outlive the call.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(size) as usize;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = SOL_SCTP;
            (*first).cmsg_type = SCTP_SNDINFO;
            (*first).cmsg_len = libc::CMSG_LEN(size) as usize;
            ptr::write_unaligned(libc::CMSG_DATA(first).cast(), info);
            let more = if with.more { libc::MSG_MORE } else { 0 };
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | more;
            libc::sendmsg(socket.as_raw_fd(), &raw const header, flags)
        }
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives a message or an event, or as much of it as the kernel has or `buffer` holds.
///
/// # Errors
/// The kernel's; `WouldBlock` when there is nothing.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Piece> {
    let mut control = Control([0; CONTROL_OCTETS]);
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut header = header(&mut vector, &mut control);
    // SAFETY: the kernel writes at most `buffer.len()` octets to `buffer` and CONTROL_OCTETS to
    // `control`, which both outlive the call.
    let octets = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
    let mut piece = Piece {
        octets,
        last: header.msg_flags & libc::MSG_EOR != 0,
        notification: header.msg_flags & MSG_NOTIFICATION != 0,
        stream: 0,
        ppid: 0,
        unordered: false,
    };
    if let Some(info) = receive_info(&header) {
        piece.stream = info.rcv_sid;
        piece.ppid = u32::from_be(info.rcv_ppid);
        piece.unordered = i32::from(info.rcv_flags) & libc::SCTP_UNORDERED != 0;
    }
    Ok(piece)
}

fn header(vector: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: all zeroes is a valid `msghdr`: null pointers with lengths of nothing.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = ptr::from_mut(control).cast::<c_void>();
    header.msg_controllen = CONTROL_OCTETS;
    header
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
