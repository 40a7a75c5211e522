//! SCTP behind one small interface: the kernel's, or our own endpoint in user space.
