//! TLS: both sides show who they are, or nothing is said.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::panic)]

mod toy;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use net::{CertificateName, ClientTls, PeerTls, Pem, ServerTls};
use procedure::LinkId;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use toy::stack::{HEAD, NO, frame, label};
use toy::{Wish, loopback, plain, start, wait_until};

/// An authority and those it has named.
struct Authority(CertifiedIssuer<'static, KeyPair>);

struct Identity {
    chain: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> String {
        self.0.pem()
    }

    fn name(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }
}

fn pem<'a>(roots: &'a str, identity: &'a Identity) -> Pem<'a> {
    Pem { roots: roots.as_bytes(), chain: identity.chain.as_bytes(), key: identity.key.as_bytes() }
}

/// A caller with its own TLS client: with `identity`, or anonymous.
fn call(
    to: SocketAddr,
    roots: &str,
    identity: Option<&Identity>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(roots.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { chain, key }) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let name = ServerName::try_from("gateway.lab").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(toy::WAIT)).unwrap();
    StreamOwned::new(session, stream)
}

fn read_frame(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut whole = vec![0; HEAD];
    stream.read_exact(&mut whole)?;
    whole.resize(toy::stack::length(&whole), 0);
    stream.read_exact(&mut whole[HEAD..])?;
    Ok(whole)
}

#[test]
fn callers_are_who_their_certificate_says() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let gateway = ours.name("gateway.lab");
    let tls = ServerTls::new(&pem(&ours.roots(), &gateway)).unwrap();
    let net = start(Wish { tls: Some(tls), ..Wish::default() });
    let mut said = Vec::new();

    let mut home = call(net.address, &ours.roots(), Some(&ours.name("link1.lab")));
    home.write_all(&frame(b'H', 1, 0, 0, &[])).unwrap();
    assert_eq!(read_frame(&mut home).unwrap()[4], b'H');
    let home = thread::spawn(move || {
        while let Ok(mut frame) = read_frame(&mut home) {
            frame[4] = b'!';
            let _ = home.write_all(&frame);
        }
    });
    let mut asker = call(net.address, &ours.roots(), Some(&ours.name("link0.lab")));
    asker.write_all(&frame(b'H', 0, 0, 0, &[])).unwrap();
    assert_eq!(read_frame(&mut asker).unwrap()[4], b'H');
    // Many records at once, in both directions, more than one read turn takes.
    let all: Vec<u8> = (0..400).flat_map(|n| frame(b'?', 1, n, 1, &[n as u8; 3000])).collect();
    asker.write_all(&all).unwrap();
    for number in 0..400 {
        let answer = read_frame(&mut asker).unwrap();
        assert_eq!((label(&answer), answer[HEAD]), (number, number as u8));
    }

    // Link 0's certificate, link 1's name.
    let mut liar = call(net.address, &ours.roots(), Some(&ours.name("link0.lab")));
    liar.write_all(&frame(b'H', 1, 0, 0, &[])).unwrap();
    liar.read_to_end(&mut said).unwrap();
    assert_eq!(said, NO);
    assert_eq!(net.count("another's certificate"), 1);

    // No certificate, another authority's certificate, no TLS at all.
    let another = theirs.name("link0.lab");
    for identity in [None, Some(&another)] {
        let mut stranger = call(net.address, &ours.roots(), identity);
        let _ = stranger.write_all(&frame(b'H', 0, 0, 0, &[]));
        assert!(read_frame(&mut stranger).is_err());
    }
    let mut plain = TcpStream::connect(net.address).unwrap();
    plain.write_all(&frame(b'H', 0, 0, 0, &[])).unwrap();
    let _ = plain.read_to_end(&mut said);
    wait_until("handshakes failed", || net.count("TLS handshake failed") == 3);
    assert_eq!(net.count("admitted"), 2);
    assert!(net.running.stop(Duration::from_millis(100)));
    home.join().unwrap();
}

/// We connect to link 1, which shows `theirs`; whether it comes up.
fn dials(authority: &Authority, roots: &Authority, theirs: &str) -> bool {
    let listener = TcpListener::bind(loopback()).unwrap();
    let mut peer = plain(1, listener.local_addr().unwrap());
    let gateway = authority.name("gateway.lab");
    peer.tls = Some(PeerTls {
        config: ClientTls::new(&pem(&roots.roots(), &gateway)).unwrap(),
        name: CertificateName::new("link1.lab").unwrap(),
    });
    let net = start(Wish { peers: vec![peer], ..Wish::default() });
    let Identity { chain, key } = authority.name(theirs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(authority.roots().as_bytes()).unwrap()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(store),
        Arc::clone(&provider),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = StreamOwned::new(session, listener.accept().unwrap().0);
    let Ok(hello) = read_frame(&mut stream) else {
        wait_until("failure counted", || {
            net.board.status(LinkId(1)).is_some_and(|status| status.counters.connect_failures > 0)
        });
        drop(listener);
        assert!(!net.is_up(1) && net.running.stop(Duration::ZERO));
        return false;
    };
    assert_eq!(hello[4], b'H');
    stream.write_all(&frame(b'H', 9, 0, 0, &[])).unwrap();
    net.wait_up(1, true);
    drop((listener, stream));
    net.wait_up(1, false);
    assert!(net.running.stop(Duration::ZERO));
    true
}

#[test]
fn we_connect_only_to_the_name_we_know_under_a_root_we_trust() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    assert!(dials(&ours, &ours, "link1.lab"));
    assert!(!dials(&ours, &ours, "link2.lab"), "another name");
    assert!(!dials(&ours, &theirs, "link1.lab"), "another root");
}

#[test]
fn what_is_wrong_with_pem_is_said() {
    let authority = Authority::new();
    let (one, two) = (authority.name("a.lab"), authority.name("b.lab"));
    let roots = authority.roots();
    let mixed = Identity { chain: one.chain.clone(), key: two.key };
    let wrong = |pem: Pem<'_>| ServerTls::new(&pem).unwrap_err().to_string();
    assert!(wrong(pem(&roots, &mixed)).starts_with("certificate and key: "));
    assert_eq!(wrong(pem("", &one)), "trust roots: no certificate in it");
    assert!(wrong(Pem { key: b"", ..pem(&roots, &one) }).starts_with("private key: "));
    assert!(ClientTls::new(&Pem { chain: b"?", ..pem(&roots, &one) }).is_err());
    assert!(CertificateName::new("not a name").is_err());
}
