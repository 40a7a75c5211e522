//! Two M3UA application servers, A and B, and how many DATA messages a second get from A to B
//! through whatever stands between them. Each also answers the other's ASPUP and ASPAC, so that
//! nothing at all, or a bare forwarder, may stand there.
//!
//! ```text
//! asps NAME=VALUE...
//!     via=127.0.0.1:2905     the signalling gateway both connect to; without it A connects to B
//!     a=127.0.0.11:2905      A's own address       b=127.0.0.12:2905      B's
//!     a-context=1            A's routing context   b-context=2            B's
//!     a-code=1               A's point code        b-code=2               B's
//!     to=2                   the point code A sends to, if not B's
//!     count=20000            messages              window=256             on their way at a time
//!     slses=1                signalling link selections used in turn
//!     user=HEX               octets of SCCP; by default an updateLocation that makes 172 of DATA
//! ```
//!
//! Prints one JSON object; fails if a message is lost, doubled or out of order within its SLS.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program of its own, which fails when told nonsense"
)]

mod m3ua;

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use m3ua::{ASPAC, ASPAC_ACK, ASPUP, ASPUP_ACK, DATA, PPID, Template};
use sctp::{Association, Backend, Endpoint, Event, Peer, Settings};

/// A UDT with an updateLocation of MAP version 3; checked with tshark.
const UPDATE_LOCATION: &str = "098103101b0d120600710443060700000000010b120700120444770009103\
    26c626a4804000000016b1a2818060700118605010101a00d600ba1090607040000010001036c46a144020101020102\
    303c040812040700000000f1810791447700091042040791447700091032a60b800204f08400850300f8008205\
    04c0000201ad0a80083532040085746512";

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(10);

struct Words(HashMap<String, String>);

impl Words {
    fn read() -> Self {
        let split = |word: String| {
            let (name, value) =
                word.split_once('=').unwrap_or_else(|| panic!("{word}: name=value"));
            (name.to_owned(), value.to_owned())
        };
        Self(std::env::args().skip(1).map(split).collect())
    }

    fn text<'a>(&'a self, name: &str, otherwise: &'a str) -> &'a str {
        self.0.get(name).map_or(otherwise, String::as_str)
    }

    fn number(&self, name: &str, otherwise: u32) -> u32 {
        self.0.get(name).map_or(otherwise, |text| text.parse().expect(name))
    }

    fn address(&self, name: &str, otherwise: &str) -> SocketAddr {
        self.text(name, otherwise).parse().expect(name)
    }
}

/// An application server process.
struct Asp {
    association: Association,
    context: u32,
    active: bool,
}

impl Asp {
    fn new(association: Association, context: u32) -> Self {
        let mut asp = Self { association, context, active: false };
        asp.say(&m3ua::write(ASPUP, None));
        asp
    }

    fn say(&mut self, message: &[u8]) {
        self.association.try_send(0, PPID, message).expect("a quiet association takes a message");
        self.association.flush();
    }

    /// The number and SLS of the next DATA message; everything else is answered here.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<(u32, u8)> {
        loop {
            let message = match self.association.poll_event(cx) {
                Poll::Ready(Event::Data(message)) => message,
                Poll::Ready(Event::Down { why }) => panic!("an association ended: {why}"),
                Poll::Ready(_) => continue,
                Poll::Pending => return Poll::Pending,
            };
            assert_eq!(message.ppid, PPID);
            let (kind, parameters) = m3ua::read(&message.octets).expect("M3UA");
            match kind {
                DATA => return Poll::Ready(m3ua::number(parameters).expect("our message")),
                ASPUP => self.say(&m3ua::write(ASPUP_ACK, None)),
                ASPUP_ACK => self.say(&m3ua::write(ASPAC, Some(self.context))),
                ASPAC => self.say(&m3ua::write(ASPAC_ACK, Some(self.context))),
                ASPAC_ACK => self.active = true,
                // Errors are worth reading, the rest is news.
                (0, 0) => panic!("error: {parameters:02x?}"),
                _ => {}
            }
        }
    }
}

/// The load, and what has become of it.
struct Load {
    template: Template,
    count: u32,
    window: u32,
    slses: u32,
    sent: u32,
    arrived: u32,
    /// Came back to A: somebody between answered.
    returned: u32,
    /// Of each SLS, the number that came last.
    last: [Option<u32>; 256],
    misordered: u32,
}

impl Load {
    fn poll(&mut self, a: &mut Asp, b: &mut Asp, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let before = self.arrived + self.returned + self.sent;
            self.send(a);
            while let Poll::Ready((number, sls)) = b.poll_data(cx) {
                self.arrived += 1;
                let last = self.last[usize::from(sls)].replace(number);
                self.misordered += u32::from(last.is_some_and(|last| last >= number));
            }
            while a.poll_data(cx).is_ready() {
                self.returned += 1;
            }
            if self.arrived + self.returned >= self.count {
                return Poll::Ready(());
            }
            if before == self.arrived + self.returned + self.sent {
                return Poll::Pending;
            }
        }
    }

    fn send(&mut self, a: &mut Asp) {
        let streams = u32::from(a.association.streams_out()) - 1;
        while self.sent < self.count && self.sent - self.arrived - self.returned < self.window {
            let sls = self.sent % self.slses;
            let stream = 1 + (sls % streams) as u16;
            let message = self.template.numbered(self.sent, sls as u8);
            if a.association.try_send(stream, PPID, message).is_err() {
                break;
            }
            self.sent += 1;
        }
        a.association.flush();
    }
}

async fn both(words: &Words) -> io::Result<(Asp, Asp)> {
    let (a, b) = (words.address("a", "127.0.0.11:2905"), words.address("b", "127.0.0.12:2905"));
    let bind = |at: SocketAddr| {
        let anybody = Arc::new(|_: &[_]| true);
        Endpoint::bind(Backend::Kernel, &[at.ip()], at.port(), &Settings::default(), anybody)
    };
    let peer =
        |at: SocketAddr| Peer { addresses: vec![at.ip()], port: at.port(), encapsulation_port: 0 };
    let (a_end, b_end) = (bind(a)?, bind(b)?);
    let (a, b) = match words.0.get("via") {
        Some(_) => {
            let via = peer(words.address("via", ""));
            (a_end.connect(&via).await?, b_end.connect(&via).await?)
        }
        None => {
            let b_peer = peer(b);
            let (b, a) = tokio::join!(b_end.accept(), a_end.connect(&b_peer));
            (a?, b?)
        }
    };
    Ok((Asp::new(a, words.number("a-context", 1)), Asp::new(b, words.number("b-context", 2))))
}

fn octets(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn main() -> io::Result<()> {
    let words = Words::read();
    let user = octets(words.text("user", UPDATE_LOCATION));
    let to = words.number("to", words.number("b-code", 2));
    let template =
        Template::new(words.number("a-context", 1), words.number("a-code", 1), to, &user);
    let mut load = Load {
        template,
        count: words.number("count", 20_000),
        window: words.number("window", 256),
        slses: words.number("slses", 1).clamp(1, 256),
        sent: 0,
        arrived: 0,
        returned: 0,
        last: [None; 256],
        misordered: 0,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seconds = runtime.block_on(async {
        let (mut a, mut b) = both(&words).await?;
        let active = poll_fn(|cx| {
            let early = a.poll_data(cx).is_ready() || b.poll_data(cx).is_ready();
            assert!(!early, "data before anybody sent any");
            if a.active && b.active { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::time::timeout(PATIENCE, active).await.expect("both become active");
        let began = Instant::now();
        while load.arrived + load.returned < load.count {
            let before = load.arrived + load.returned;
            let turn = poll_fn(|cx| load.poll(&mut a, &mut b, cx));
            let timed_out = tokio::time::timeout(PATIENCE, turn).await.is_err();
            if timed_out && before == load.arrived + load.returned {
                break;
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        a.association.shutdown();
        b.association.shutdown();
        io::Result::Ok(seconds)
    })?;
    let Load { count, window, arrived, returned, misordered, .. } = load;
    let lost = i64::from(count) - i64::from(arrived) - i64::from(returned);
    let rate = f64::from(arrived + returned) / seconds;
    println!(
        "{{\"messages\":{count},\"window\":{window},\"octets\":{},\"arrived\":{arrived},\
         \"returned\":{returned},\"lost\":{lost},\"misordered\":{misordered},\
         \"seconds\":{seconds:.3},\"per_second\":{rate:.0}}}",
        load.template.numbered(0, 0).len(),
    );
    assert!(lost == 0 && misordered == 0, "messages were lost, doubled or misordered");
    Ok(())
}
