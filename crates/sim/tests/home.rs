//! An HSS that connects to an agent, as homes do towards a gateway, seen from the agent's side.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]
#![allow(clippy::disallowed_methods, reason = "fake peers on real sockets")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sim::Identity;
use sim::diameter::build::{Head, Message as Build};
use sim::diameter::parse::{Message, Outcome, frame_length};
use sim::diameter::{S6A, avp, base, command};
use sim::hss::{Hss, HssConfig};

fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).unwrap();
    bytes.resize(frame_length(&bytes).unwrap().unwrap(), 0);
    stream.read_exact(&mut bytes[4..]).unwrap();
    bytes
}

/// A request of `application` with two Proxy-Info AVPs, as an agent that keeps no state adds them.
fn request(out: &mut Vec<u8>, application: u32, flags: u8) {
    let head = Head {
        flags,
        command: command::UPDATE_LOCATION,
        application,
        hop_by_hop: 77,
        end_to_end: 88,
    };
    let mut message = Build::new(out, head);
    message
        .bytes(avp::SESSION_ID, b"mme1.visited.lab;1;1")
        .bytes(avp::ORIGIN_HOST, b"mme1.visited.lab")
        .bytes(avp::USER_NAME, b"214070000000001");
    for state in [b"one".as_slice(), b"three"] {
        message.group(avp::PROXY_INFO, |m| {
            m.bytes(280, b"dra.lab").bytes(avp::PROXY_STATE, state);
        });
    }
    message.finish();
}

fn outcome(message: &Message<'_>) -> Outcome {
    message.avps().flatten().find_map(|a| Outcome::of(&a)).unwrap()
}

#[test]
fn requests_in_the_same_segment_as_the_cea_are_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = HssConfig::new("hss1.home.lab");
    config.connect = vec![listener.local_addr().unwrap()];
    config.watchdog = Duration::from_millis(300);
    let hss = Hss::bind(config).unwrap();
    let counters = hss.counters();
    let (handle, stop) = sim::stop();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(hss.run(stop))
    });
    let me = Identity::new("dra.lab");
    let (mut stream, _) = listener.accept().unwrap();
    let cer = read(&mut stream);
    let mut batch = Vec::new();
    base::cea(&mut batch, &me, "127.0.0.1".parse().unwrap(), &Message::parse(&cer).unwrap());
    request(&mut batch, S6A, 0xc0);
    request(&mut batch, S6A, 0xd0);
    request(&mut batch, 4, 0xc0);
    base::dwr(&mut batch, &me, (5, 6));
    stream.write_all(&batch).unwrap();

    for expected in [2001, 2001, 3001] {
        let bytes = read(&mut stream);
        let answer = Message::parse(&bytes).unwrap();
        assert_eq!((answer.hop_by_hop, answer.end_to_end), (77, 88));
        assert_eq!(outcome(&answer), Outcome::Base(expected));
        assert_eq!(answer.is_error(), expected == 3001);
        assert_eq!(answer.avps().next().unwrap().unwrap().data, b"mme1.visited.lab;1;1");
        let proxies = answer.avps().flatten().filter(|a| a.is_base(avp::PROXY_INFO));
        let states: Vec<_> = proxies.map(|p| p.children().flatten().nth(1).unwrap().data).collect();
        assert_eq!(states, [b"one".as_slice(), b"three"]);
    }
    let bytes = read(&mut stream);
    assert_eq!(Message::parse(&bytes).unwrap().command, command::DEVICE_WATCHDOG);
    let bytes = read(&mut stream);
    let idle = Message::parse(&bytes).unwrap();
    assert!(idle.is_request() && idle.command == command::DEVICE_WATCHDOG, "a DWR when idle");
    handle.stop();
    let bytes = read(&mut stream);
    assert_eq!(Message::parse(&bytes).unwrap().command, command::DISCONNECT_PEER);
    drop(stream);
    thread.join().unwrap().unwrap();
    // The second and the third repeat the first's End-to-End; only the second says so.
    let seen = counters.snapshot();
    assert_eq!((seen.duplicates_flagged, seen.duplicates_unflagged), (1, 1));
    assert_eq!(seen.retransmit_flagged, 1);
}
