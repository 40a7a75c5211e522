//! State cookies that only we can have issued.
//!
//! The engine's own carries no proof of where it comes from, and one that is echoed opens an
//! association. Ours wraps it: who it was issued to and when, under a key of this endpoint. Nothing
//! is kept for a caller before its cookie comes back.
//= RFC 9260 §5.1.3

use std::net::IpAddr;

use ring::hmac;
use ring::rand::SystemRandom;

use super::packet::{self, ADDRESSES_MAX};

/// How long a cookie can be echoed.
//= RFC 9260 §16
pub(super) const COOKIE_LIFE_MS: u64 = 60_000;
const MAC_OCTETS: usize = 32;

/// The endpoint's key.
pub(super) struct Baker(hmac::Key);

/// What a cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    /// When it was issued, in milliseconds of the endpoint's life.
    pub(super) issued_ms: u64,
    /// The caller's port.
    pub(super) port: u16,
    /// The caller's addresses, that of its INIT first.
    pub(super) addresses: Vec<IpAddr>,
    /// Streams we may send on.
    pub(super) streams_out: u16,
    /// The engine's own cookie.
    pub(super) inner: Vec<u8>,
}

impl Baker {
    /// A fresh random key.
    pub(super) fn new() -> std::io::Result<Self> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map(Self)
            .map_err(|_| std::io::Error::other("no randomness for a key"))
    }

    /// The cookie as it travels.
    pub(super) fn bake(&self, cookie: &Cookie) -> Vec<u8> {
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(&cookie.issued_ms.to_be_bytes());
        body.extend_from_slice(&cookie.port.to_be_bytes());
        body.extend_from_slice(&cookie.streams_out.to_be_bytes());
        let addresses = cookie.addresses.get(..cookie.addresses.len().min(ADDRESSES_MAX + 1));
        let addresses = addresses.unwrap_or_default();
        body.push(u8::try_from(addresses.len()).unwrap_or(0));
        for address in addresses {
            body.extend_from_slice(&packet::address_octets(*address));
        }
        body.extend_from_slice(&cookie.inner);
        let mut out = hmac::sign(&self.0, &body).as_ref().to_vec();
        out.extend_from_slice(&body);
        out
    }

    /// Reads a cookie that we issued, that is fresh and that came back from where it went.
    pub(super) fn check(
        &self,
        octets: &[u8],
        from: IpAddr,
        port: u16,
        now_ms: u64,
    ) -> Result<Cookie, &'static str> {
        let (mac, body) = octets.split_at_checked(MAC_OCTETS).ok_or("a cookie is too short")?;
        hmac::verify(&self.0, body, mac).map_err(|_| "a cookie is not ours")?;
        let cookie = read(body).ok_or("a cookie is not ours")?;
        if now_ms.saturating_sub(cookie.issued_ms) > COOKIE_LIFE_MS {
            return Err("a cookie is stale");
        }
        if cookie.port != port || !cookie.addresses.contains(&from) {
            return Err("a cookie came from somebody else");
        }
        Ok(cookie)
    }
}

fn read(body: &[u8]) -> Option<Cookie> {
    let (issued, rest) = body.split_first_chunk::<8>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (streams, rest) = rest.split_first_chunk::<2>()?;
    let (count, rest) = rest.split_first()?;
    let (addresses, inner) = rest.split_at_checked(usize::from(*count) * 16)?;
    let addresses = addresses.as_chunks::<16>().0.iter().map(|octets| packet::address(*octets));
    Some(Cookie {
        issued_ms: u64::from_be_bytes(*issued),
        port: u16::from_be_bytes(*port),
        streams_out: u16::from_be_bytes(*streams),
        addresses: addresses.collect(),
        inner: inner.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_fresh_ones_from_where_they_went() {
        let (ours, theirs) = (Baker::new().expect("a key"), Baker::new().expect("a key"));
        let from: IpAddr = [127, 0, 0, 1].into();
        let other: IpAddr = [127, 0, 0, 2].into();
        let cookie = Cookie {
            issued_ms: 1_000,
            port: 2905,
            addresses: vec![from, "::1".parse().expect("an address")],
            streams_out: 16,
            inner: b"engine".to_vec(),
        };
        let baked = ours.bake(&cookie);
        assert_eq!(ours.check(&baked, from, 2905, 2_000), Ok(cookie.clone()));
        assert_eq!(ours.check(&baked, from, 2905, 70_000), Err("a cookie is stale"));
        assert_eq!(ours.check(&baked, other, 2905, 0), Err("a cookie came from somebody else"));
        assert_eq!(ours.check(&baked, from, 2906, 0), Err("a cookie came from somebody else"));
        assert_eq!(theirs.check(&baked, from, 2905, 0), Err("a cookie is not ours"));
        for place in 0..baked.len() {
            let mut forged = baked.clone();
            forged[place] ^= 1;
            assert!(ours.check(&forged, from, 2905, 2_000).is_err(), "octet {place}");
        }
        assert!(ours.check(&baked[..20], from, 2905, 0).is_err());
    }
}
