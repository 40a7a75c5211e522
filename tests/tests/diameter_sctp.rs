//! Diameter through the daemon over our own SCTP: a listener, a peer that it connects to, strangers, an end
//! in order; the payload protocol identifier of each message; what is said where a backend is not there.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, Peer, Settings};
use sim::Identity;
use sim::diameter::parse::{Message, Outcome};
use sim::diameter::{base, s6a};
use tests::children::eventually;
use tests::daemon::{Daemon, built};
use tests::world::{self, Neighbour};
use tokio::time::timeout;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);
const MME: &str = "mme1.visited.lab";
const HSS: &str = "hss1.home.lab";
//= RFC 6733 §2.1.1
const DIAMETER: u32 = 46;

// Commands. //= RFC 6733 §3.1 //= TS 29.272 §7.2.2
const CAPABILITIES: u32 = 257;
const DISCONNECT: u32 = 282;
const UPDATE_LOCATION: u32 = 316;
/// Host-IP-Address, Route-Record.
const HOST_IP_ADDRESS: u32 = 257;
const ROUTE_RECORD: u32 = 282;

fn endpoint() -> Endpoint {
    let backend = Backend::Udp { encapsulation_port: 0 };
    Endpoint::bind(backend, &[HERE], 0, &Settings::default(), Arc::new(|_| true)).unwrap()
}

/// A Diameter node's association with the gateway.
struct Node {
    me: Identity,
    association: Association,
}

impl Node {
    /// Connects and introduces itself; the answer to that.
    async fn join(endpoint: &Endpoint, port: u16, name: &str) -> (Self, Vec<u8>) {
        let peer = Peer { addresses: vec![HERE], port: 3868, encapsulation_port: port };
        let association = endpoint.connect(&peer).await.expect("connected");
        let mut node = Self { me: Identity::new(name), association };
        let me = node.me.clone();
        node.say(|out| base::cer(out, &me, HERE, (1, 1)));
        let answer = node.hear(CAPABILITIES).await;
        (node, answer)
    }

    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.association.try_send(0, DIAMETER, &out).expect("room");
        self.association.flush();
    }

    /// The next message, which is of this command.
    async fn hear(&mut self, command: u32) -> Vec<u8> {
        loop {
            let next = poll_fn(|cx| self.association.poll_event(cx));
            match timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("no {command}")) {
                Event::Data(message) => {
                    assert_eq!(message.ppid, DIAMETER);
                    assert_eq!(parsed(&message.octets).command, command);
                    return message.octets;
                }
                Event::Down { why } => panic!("it has ended: {why}"),
                _ => {}
            }
        }
    }

    async fn ended(&mut self) {
        let down = async {
            while !matches!(poll_fn(|cx| self.association.poll_event(cx)).await, Event::Down { .. })
            {
            }
        };
        timeout(PATIENCE, down).await.expect("it ends");
    }

    fn ulr(&mut self, number: u64, visited: &str, id: u32) {
        let (me, imsi) = (self.me.clone(), world::imsi(number));
        let session = format!("{MME};1;{id}");
        let request = s6a::Request {
            me: &me,
            session: &session,
            realm: world::HOME_REALM,
            host: None,
            imsi: &imsi,
            visited: visited.parse::<sim::Plmn>().unwrap().octets(),
            rat: s6a::EUTRAN,
        };
        self.say(|out| request.ulr(out, (id, id)));
    }
}

fn parsed(octets: &[u8]) -> Message<'_> {
    Message::parse(octets).unwrap()
}

fn outcome(octets: &[u8]) -> Outcome {
    let message = parsed(octets);
    message.avps().map_while(Result::ok).find_map(|avp| Outcome::of(&avp)).expect("a result")
}

/// A gateway that listens, and connects to its HSS, over SCTP inside UDP.
fn configuration(listen: u16, hss: &Endpoint) -> String {
    let at = format!("127.0.0.1:{}", hss.port());
    let neighbours =
        [Neighbour { host: MME, connect: None }, Neighbour { host: HSS, connect: Some(&at) }];
    let text = world::gateway_toml("127.0.0.1:3868", &["127.0.0.1"], &neighbours, "");
    let listens = "address = \"127.0.0.1:3868\"\n";
    let connects = format!("connect = \"{at}\"\n");
    let over = |port: u16| format!("transport = \"sctp-udp\"\nencapsulation_port = {port}\n");
    assert!(text.contains(listens) && text.contains(&connects));
    text.replace(listens, &format!("{listens}also = [\"127.0.0.2\"]\n{}", over(listen)))
        .replace(&connects, &format!("{connects}{}", over(hss.encapsulation_port())))
}

#[test]
fn both_ways_through_the_daemon() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tests::scratch("diameter-sctp");
        world::write_policies(&folder.join("policies"), &[HSS]);
        // Nobody holds the port between here and the daemon's start, or the test fails and says so.
        let port = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
        let home = endpoint();
        let mut daemon = Daemon::start(&folder, &configuration(port, &home));
        let association = timeout(PATIENCE, home.accept()).await.expect("it connects").unwrap();
        let mut hss = Node { me: Identity::new(HSS), association };
        let cer = hss.hear(CAPABILITIES).await;
        let addresses = parsed(&cer).avps().map_while(Result::ok);
        let addresses = addresses.filter(|avp| avp.is_base(HOST_IP_ADDRESS));
        let addresses: Vec<_> = addresses.map(|avp| avp.data.to_vec()).collect();
        assert_eq!(addresses, [[0, 1, 127, 0, 0, 1], [0, 1, 127, 0, 0, 2]], "all of the endpoint");
        let me = hss.me.clone();
        hss.say(|out| assert_eq!(base::cea(out, &me, HERE, &parsed(&cer)), 2001));

        let own = endpoint();
        let (mut stranger, refused) = Node::join(&own, port, "mme9.visited.lab").await;
        assert_eq!(outcome(&refused), Outcome::Base(3010));
        stranger.ended().await;

        let (mut mme, welcome) = Node::join(&own, port, MME).await;
        assert_eq!(outcome(&welcome), Outcome::Base(2001));
        mme.ulr(1, world::PREFERRED, 7);
        let asked = hss.hear(UPDATE_LOCATION).await;
        assert_eq!(parsed(&asked).find(ROUTE_RECORD), Some(MME.as_bytes()));
        let tail = s6a::ula(&me);
        hss.say(|out| tail.answer(out, &parsed(&asked), b"mme1.visited.lab;1;7"));
        let answer = mme.hear(UPDATE_LOCATION).await;
        assert_eq!((outcome(&answer), parsed(&answer).hop_by_hop), (Outcome::Base(2001), 7));
        mme.ulr(2, world::STEERED, 8);
        let answer = mme.hear(UPDATE_LOCATION).await;
        assert_eq!(
            (outcome(&answer), parsed(&answer).hop_by_hop),
            (Outcome::Experimental(5004), 8)
        );

        daemon.assert_alive();
        daemon.signal("TERM");
        for node in [&mut mme, &mut hss] {
            let leave = node.hear(DISCONNECT).await;
            let me = node.me.clone();
            node.say(|out| base::success(out, &me, &parsed(&leave)));
            node.ended().await;
        }
        assert!(daemon.ended(PATIENCE).success());
        let records =
            eventually(PATIENCE, || Some(daemon.records()).filter(|records| records.len() >= 2));
        let finishes: Vec<_> =
            records.unwrap().iter().map(|record| record["finish"].clone()).collect();
        assert_eq!(finishes, ["answered", "refused"]);
    });
}

/// What the daemon says when it cannot start with a listener of this transport.
fn cannot_start(transport: &str, wrap: &[&str]) -> Option<String> {
    let folder = tests::scratch(&format!("no-{transport}"));
    world::write_policies(&folder.join("policies"), &[HSS]);
    let listens = "address = \"127.0.0.1:3868\"\n";
    let neighbour = Neighbour { host: HSS, connect: None };
    let text = world::gateway_toml("127.0.0.1:3868", &["127.0.0.1"], &[neighbour], "");
    let text = text.replace(listens, &format!("{listens}transport = \"{transport}\"\n"));
    std::fs::write(folder.join("gateway.toml"), text).unwrap();
    let program = built("daemon", "ipxd");
    // Where it can start after all it is ended.
    let words = [&["timeout", "5"], wrap].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(program).args(["run", "--config", "gateway.toml"]);
    let out = command.current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    println!("{transport}: {:?} {said}", out.status);
    let code = out.status.code();
    assert!(matches!(code, Some(1 | 124)), "{code:?}: {said}");
    (code == Some(1)).then_some(said)
}

#[test]
fn a_backend_that_is_not_there_is_told_with_what_to_do() {
    match cannot_start("sctp", &[]) {
        Some(said) => {
            assert!(said.contains("127.0.0.1:3868") && said.contains("modprobe sctp"), "{said}");
            assert!(said.contains("sctp-udp"), "{said}");
        }
        None => println!("this kernel has SCTP"),
    }
    // Root without the right to raw sockets, or somebody who never had it.
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let without: &[&str] = if is_root { &["setpriv", "--bounding-set=-net_raw"] } else { &[] };
    let said = cannot_start("sctp-raw", without).expect("no raw sockets");
    if !said.contains("this kernel has SCTP") {
        assert!(said.contains("CAP_NET_RAW") && said.contains("sctp-udp"), "{said}");
    }
}
