//! Which of two connections stays when both sides connect at once.

/// Whether we, the responder, win: our name comes after the peer's, in any case of letters. The
/// winner closes the connection that it opened itself.
//= RFC 6733 §5.6.4
pub(crate) fn is_won(ours: &[u8], theirs: &[u8]) -> bool {
    let fold = |name: &[u8]| name.iter().map(u8::to_ascii_lowercase).collect::<Vec<_>>();
    fold(ours) > fold(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_name_wins() {
        assert!(is_won(b"mme.lab", b"hss.lab"));
        assert!(!is_won(b"hss.lab", b"mme.lab"));
        assert!(is_won(b"MME.lab", b"hss.lab"), "case does not count");
        assert!(is_won(b"hss.lab.a", b"hss.lab"), "the longer one is later");
        assert!(!is_won(b"hss.lab", b"HSS.lab"), "nobody wins against itself");
    }
}
