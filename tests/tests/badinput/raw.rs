//! A peer over raw TCP that may say anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sim::diameter::build::{Head, Message as Build};
use sim::diameter::parse::{self, Message, Outcome};
use sim::diameter::s6a::{self, Request, Tail};
use sim::diameter::{S6A, avp, command};
use socket2::{Domain, Socket, Type};
use tests::desk::Peer;
use tests::world;

/// How long a single answer may take, and a connection to be closed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Raw {
    pub(crate) peer: Peer,
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    next: u32,
}

impl Raw {
    /// Connects from `source` and says nothing yet.
    pub(crate) fn connect(to: SocketAddr, source: &str, host: &str) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into())?;
        socket.connect_timeout(&to.into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { peer: Peer::new(host), stream, buffer: Vec::new(), next: 1 })
    }

    /// Connects and introduces itself.
    pub(crate) fn introduced(to: SocketAddr, host: &str) -> Self {
        let mut raw = Self::connect(to, "127.0.0.1", host).unwrap();
        raw.send(&raw.peer.cer());
        let cea = raw.frame().expect("a CEA");
        assert_eq!(outcome(&cea), Outcome::Base(2001), "{host} is let in");
        raw
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// The next frame; nothing when the gateway has closed.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Ok(Some(length)) = parse::frame_length(&self.buffer)
                && self.buffer.len() >= length
            {
                let rest = self.buffer.split_off(length);
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(octets) => self.buffer.extend_from_slice(&chunk[..octets]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{}: {error}", self.peer.host),
            }
        }
    }

    /// Reads whatever still comes until the gateway closes.
    pub(crate) fn is_closed(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut chunk = [0; 4096];
        while Instant::now() < until {
            self.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            match self.stream.read(&mut chunk) {
                Ok(0) => return true,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
                _ => {}
            }
        }
        false
    }

    pub(crate) fn leave(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// An Update-Location-Request for a subscriber who is not steered.
    pub(crate) fn ulr(&mut self) -> Vec<u8> {
        let host = None;
        self.ulr_to(host)
    }

    pub(crate) fn ulr_to(&mut self, host: Option<&str>) -> Vec<u8> {
        let id = self.next;
        self.next += 1;
        let session = format!("{};1;{id}", self.peer.host);
        let request = Request {
            me: &self.peer.identity(),
            session: &session,
            realm: world::HOME_REALM,
            host,
            imsi: &world::imsi(id.into()),
            visited: world::ELSEWHERE.parse::<sim::Plmn>().unwrap().octets(),
            rat: s6a::EUTRAN,
        };
        let mut octets = Vec::new();
        request.ulr(&mut octets, (id, id));
        octets
    }
}

/// The answer with which a home node of this name accepts a request.
pub(crate) fn accept(host: &str, request: &[u8]) -> Vec<u8> {
    let tail: Tail = s6a::ula(&sim::Identity::new(host));
    let request = Message::parse(request).unwrap();
    let mut octets = Vec::new();
    tail.answer(&mut octets, &request, request.find(avp::SESSION_ID).unwrap());
    octets
}

/// An Update-Location-Request made of these AVPs only.
pub(crate) fn made_of(fill: impl FnOnce(&mut Build<'_>)) -> Vec<u8> {
    let head = Head {
        flags: 0xc0,
        command: command::UPDATE_LOCATION,
        application: S6A,
        hop_by_hop: 77,
        end_to_end: 77,
    };
    let mut octets = Vec::new();
    let mut message = Build::new(&mut octets, head);
    fill(&mut message);
    message.finish();
    octets
}

pub(crate) fn outcome(frame: &[u8]) -> Outcome {
    let message = Message::parse(frame).unwrap();
    message.avps().flatten().find_map(|avp| Outcome::of(&avp)).unwrap_or(Outcome::Absent)
}
