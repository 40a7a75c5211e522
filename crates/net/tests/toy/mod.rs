//! A network around the toy stack, and peers made of plain blocking sockets.
#![allow(dead_code)] // Each test uses its part of it.

pub(crate) mod stack;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use net::{
    Clock, Connect, Listener, PeerTransport, Running, SctpEndpoint, ServerTls, Setup, WorkerSetup,
};
use procedure::{LinkId, Record, StackId};
use relay::{Admission, AnyStack, Board, Gateway};

use stack::{Anything, Doorkeeper, HEAD, Toy, frame, length};

pub(crate) const WAIT: Duration = Duration::from_secs(10);

/// What a test wants of its network.
pub(crate) struct Wish {
    pub(crate) workers: u8,
    pub(crate) links: u8,
    /// The links that we connect to.
    pub(crate) peers: Vec<PeerTransport>,
    pub(crate) tls: Option<ServerTls>,
    /// Listen over SCTP too.
    pub(crate) sctp: bool,
    pub(crate) expected: fn(IpAddr) -> bool,
    pub(crate) request_timeout_ms: u64,
    pub(crate) keep_records: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            workers: 1,
            links: 2,
            peers: Vec::new(),
            tls: None,
            sctp: false,
            expected: |_| true,
            request_timeout_ms: 20_000,
            keep_records: true,
        }
    }
}

/// A running network with one listener.
pub(crate) struct Net {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) records: Arc<Mutex<Vec<Record>>>,
}

pub(crate) fn start(wish: Wish) -> Net {
    let links = usize::from(wish.links);
    let board = Arc::new(Board::new(links));
    let records = Arc::new(Mutex::new(Vec::new()));
    let mut dials = vec![false; links];
    for peer in &wish.peers {
        dials[peer.link.0 as usize] = true;
    }
    let toy = Toy(Arc::new(dials));
    let worker = |_| {
        let (toy, board, records) = (toy.clone(), Arc::clone(&board), Arc::clone(&records));
        WorkerSetup {
            gateway: Box::new(move |worker| {
                let stacks: Vec<Box<dyn AnyStack>> = vec![Box::new(toy)];
                Gateway::new(relay::Setup {
                    worker,
                    workers: wish.workers,
                    stacks,
                    links: vec![StackId(0); links],
                    policy: Arc::new(Anything),
                    board,
                    request_timeout_ms: wish.request_timeout_ms,
                    seed: 7,
                })
            }),
            sink: Box::new(move |batch| {
                if wish.keep_records {
                    records.lock().expect("records").append(batch);
                }
            }),
        }
    };
    let admission: Arc<dyn Admission> =
        Arc::new(Doorkeeper { links: wish.links, expected: wish.expected });
    let endpoint = |_| SctpEndpoint {
        backend: sctp::Backend::Udp { encapsulation_port: 0 },
        addresses: vec![loopback().ip()],
        port: 0,
        settings: sctp::Settings::default(),
        admission: Arc::clone(&admission),
    };
    let running = net::spawn(Setup {
        workers: (0..wish.workers).map(worker).collect(),
        endpoints: wish.sctp.then_some(()).into_iter().map(endpoint).collect(),
        listeners: vec![Listener {
            address: loopback(),
            tls: wish.tls,
            admission: Arc::clone(&admission),
        }],
        peers: wish.peers,
        symbols: procedure::Symbols::default(),
        clock: Clock::new(),
    })
    .expect("network");
    let address = running.addresses()[0];
    Net { running, address, board, records }
}

pub(crate) fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("address")
}

/// How a link's peer is reached without TLS.
pub(crate) fn plain(link: u32, connect: SocketAddr) -> PeerTransport {
    let name = format!("peer{link}").into();
    PeerTransport {
        link: LinkId(link),
        name,
        connect: Some(Connect::Tcp(connect)),
        source: None,
        tls: None,
    }
}

impl Net {
    pub(crate) fn is_up(&self, link: u32) -> bool {
        self.board.status(LinkId(link)).is_some_and(|status| status.up)
    }

    pub(crate) fn wait_up(&self, link: u32, up: bool) {
        wait_until("link state", || self.is_up(link) == up);
    }

    pub(crate) fn count(&self, why: &str) -> u64 {
        self.running.counters().count(why)
    }

    /// A peer that has introduced itself as `link` and is up.
    pub(crate) fn join(&self, link: u8) -> Peer {
        let mut peer = Peer::connect(self.address);
        peer.send(&frame(b'H', link, 0, 0, &[]));
        assert_eq!(peer.frame().expect("hello")[4], b'H');
        self.wait_up(u32::from(link), true);
        peer
    }
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < WAIT, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One end of a connection, blocking.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(WAIT)).expect("timeout");
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("connect"))
    }

    pub(crate) fn both(&self) -> (Self, Self) {
        let clone = || Self::new(self.stream.try_clone().expect("clone"));
        (clone(), clone())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("send");
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if self.buffer.len() >= HEAD && self.buffer.len() >= length(&self.buffer) {
                let octets = length(&self.buffer);
                return Ok(self.buffer.drain(..octets).collect());
            }
            let mut room = [0; 16 << 10];
            match self.stream.read(&mut room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                octets => self.buffer.extend_from_slice(&room[..octets]),
            }
        }
    }

    /// Answers every request with its own payload until the end; how many.
    pub(crate) fn echo(mut self) -> usize {
        let mut answered = 0;
        while let Ok(mut frame) = self.frame() {
            if frame[4] == b'?' {
                frame[4] = b'!';
                if self.stream.write_all(&frame).is_err() {
                    break;
                }
                answered += 1;
            }
        }
        answered
    }

    /// As [`Self::echo`], but goes on reading while its answers cannot leave.
    pub(crate) fn echo_at_leisure(self) -> usize {
        let (mut reader, mut writer) = self.both();
        let (answers, waiting) = std::sync::mpsc::channel::<Vec<u8>>();
        let writing = std::thread::spawn(move || {
            let answers = waiting.iter();
            answers.take_while(|answer| writer.stream.write_all(answer).is_ok()).count()
        });
        while let Ok(mut frame) = reader.frame() {
            if frame[4] == b'?' {
                frame[4] = b'!';
                let _ = answers.send(frame);
            }
        }
        drop(answers);
        writing.join().expect("writer")
    }

    /// Everything until the end.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }
}
