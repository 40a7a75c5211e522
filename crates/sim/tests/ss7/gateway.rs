//! A small signalling gateway for tests: M3UA toward ASPs over SCTP inside UDP, data forwarded by the
//! called subsystem and digits, with a hook that may drop, repeat, change or answer it.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use m3ua::{M3uaMessage, MessageType, ProtocolData};
use sccp::SccpMessage;
use sctp::{Association, Backend, Endpoint, Event, Peer, Settings};
use sim::ss7::title;

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PPID: u32 = 3;

/// An application server: routing context, point code, and the called digits that it serves;
/// without digits it serves subsystem 6.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) context: u32,
    pub(crate) point_code: u32,
    pub(crate) digits: Option<&'static str>,
}

/// What becomes of an SCCP message: these go on to who is called, and the second ones back to who
/// sent it.
pub(crate) type Hook = Box<dyn FnMut(Vec<u8>) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) + Send>;

pub(crate) struct Gateway {
    endpoint: Endpoint,
    servers: Vec<Server>,
    hook: Hook,
    asps: Vec<(Association, Option<Server>)>,
    turn: usize,
}

/// A gateway that lets everybody connect and then turns them away, and how often it did.
pub(crate) async fn turn_away(endpoint: Endpoint, count: Arc<AtomicU64>) {
    loop {
        let mut caller = endpoint.accept().await.unwrap();
        count.fetch_add(1, Ordering::Relaxed);
        caller.abort();
    }
}

/// An endpoint on free ports, and how it is reached.
pub(crate) fn endpoint() -> (Endpoint, Peer) {
    let backend = Backend::Udp { encapsulation_port: 0 };
    let admits = Arc::new(|from: &[IpAddr]| from.iter().all(IpAddr::is_loopback));
    let endpoint = Endpoint::bind(backend, &[HERE], 0, &Settings::default(), admits).unwrap();
    let peer = Peer {
        addresses: vec![HERE],
        port: endpoint.port(),
        encapsulation_port: endpoint.encapsulation_port(),
    };
    (endpoint, peer)
}

impl Gateway {
    pub(crate) fn bind(servers: Vec<Server>, hook: Hook) -> (Self, Peer) {
        let (endpoint, peer) = endpoint();
        (Self { endpoint, servers, hook, asps: Vec::new(), turn: 0 }, peer)
    }

    /// Forwards until the task is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let mut events = Vec::new();
            tokio::select! {
                accepted = self.endpoint.accept() => self.asps.push((accepted.unwrap(), None)),
                () = poll_fn(|cx| {
                    for (index, (asp, _)) in self.asps.iter_mut().enumerate() {
                        for _ in 0..256 {
                            let Poll::Ready(event) = asp.poll_event(cx) else { break };
                            let down = matches!(event, Event::Down { .. });
                            events.push((index, event));
                            if down { break }
                        }
                    }
                    if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
                }) => {}
            }
            let mut down = Vec::new();
            for (index, event) in events {
                match event {
                    Event::Data(message) => self.message(index, &message.octets),
                    Event::Down { .. } => down.push(index),
                    _ => {}
                }
            }
            self.asps.iter_mut().for_each(|(asp, _)| asp.flush());
            down.into_iter().rev().for_each(|index| drop(self.asps.remove(index)));
        }
    }

    fn reply(&mut self, index: usize, message: &M3uaMessage) {
        let _ = self.asps[index].0.try_send(0, PPID, &message.encode());
    }

    fn message(&mut self, index: usize, octets: &[u8]) {
        let message = M3uaMessage::decode(octets).unwrap();
        match message.message_type {
            MessageType::AspUp => self.reply(index, &M3uaMessage::asp_up_ack(None)),
            MessageType::AspActive => {
                let context = message.routing_context().unwrap();
                let server = self.servers.iter().find(|s| s.context == context).unwrap().clone();
                self.asps[index].1 = Some(server);
                self.reply(index, &M3uaMessage::asp_active_ack(None, Some(context)));
                self.reply(index, &M3uaMessage::notify(0x0001_0003, None, Some(context)));
                self.reply(index, &M3uaMessage::heartbeat(Some(b"alive?".to_vec())));
            }
            MessageType::Heartbeat => {
                let data = message.heartbeat_data().map(<[u8]>::to_vec);
                self.reply(
                    index,
                    &M3uaMessage::new(MessageType::HeartbeatAck, {
                        vec![m3ua::Parameter::new(m3ua::tags::HEARTBEAT_DATA, data.unwrap())]
                    }),
                );
            }
            MessageType::HeartbeatAck => {
                assert_eq!(message.heartbeat_data(), Some(&b"alive?"[..]));
            }
            MessageType::Data => {
                let data = message.protocol_data().unwrap();
                assert_eq!((data.si, data.ni), (3, 2));
                let (on, back) = (self.hook)(data.user_data);
                on.into_iter().for_each(|sccp| self.forward(data.sls, sccp));
                back.into_iter().for_each(|sccp| self.forward(data.sls, sccp));
            }
            _ => {}
        }
    }

    fn forward(&mut self, sls: u8, sccp: Vec<u8>) {
        let message = SccpMessage::decode(&sccp).unwrap();
        let (_, digits, ssn) = title::parts(message.called_party());
        let serves = |s: &Server| match s.digits {
            Some(own) => own == digits,
            None => ssn == 6,
        };
        let count = self.asps.len();
        self.turn += 1;
        let mut order = (self.turn..self.turn + count).map(|i| i % count);
        let found = order.find(|i| self.asps[*i].1.as_ref().is_some_and(serves));
        let (asp, server) = &mut self.asps[found.expect("somebody serves it")];
        let server = server.as_ref().unwrap();
        let data = ProtocolData::new(9, server.point_code, 3, 2, 0, sls, sccp);
        let message = M3uaMessage::data(None, Some(server.context), data, None);
        asp.try_send(1 + u16::from(sls), PPID, &message.encode()).unwrap();
    }
}
