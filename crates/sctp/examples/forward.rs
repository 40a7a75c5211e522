//! A bare forwarder: what comes on one association leaves on the other, unread. The least that a
//! signalling gateway between two peers can do, to measure one by.
//!
//! ```text
//! forward ADDRESS:PORT       takes the first two associations that come, until one of them ends
//! ```
#![allow(clippy::disallowed_methods, reason = "a program of its own")]

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use sctp::{Association, Backend, Endpoint, Event, Message, Refused, Settings};

fn main() -> io::Result<()> {
    let listen = std::env::args().nth(1).and_then(|word| word.parse::<SocketAddr>().ok());
    let Some(listen) = listen else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: forward ADDRESS:PORT"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let anybody = Arc::new(|_: &[_]| true);
        let settings = Settings::default();
        let endpoint =
            Endpoint::bind(Backend::Kernel, &[listen.ip()], listen.port(), &settings, anybody)?;
        // Whoever waits for it to listen reads this.
        println!("listening on {listen}");
        let mut ends = [End::new(endpoint.accept().await?), End::new(endpoint.accept().await?)];
        poll_fn(|cx| poll_both(&mut ends, cx)).await;
        Ok(())
    })
}

struct End {
    association: Association,
    /// What could not leave on the other one; nothing more is received before it has.
    kept: Option<Message>,
}

impl End {
    const fn new(association: Association) -> Self {
        Self { association, kept: None }
    }
}

/// Ready when one association has ended.
fn poll_both([left, right]: &mut [End; 2], cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let left_first = forward(left, right, cx);
        let right_first = forward(right, left, cx);
        match (left_first, right_first) {
            (Turn::Ended, _) | (_, Turn::Ended) => return Poll::Ready(()),
            // Neither has anything more: both have been asked, and will wake us.
            (Turn::Waits, Turn::Waits) => return Poll::Pending,
            _ => {}
        }
    }
}

enum Turn {
    Went,
    Waits,
    Ended,
}

/// Events taken from one side before the other has its turn.
const TURN_EVENTS: usize = 64;

fn forward(from: &mut End, to: &mut End, cx: &mut Context<'_>) -> Turn {
    for _ in 0..TURN_EVENTS {
        if let Some(message) = from.kept.take()
            && to.association.try_send(message.stream, message.ppid, &message.octets)
                == Err(Refused::Full)
        {
            from.kept = Some(message);
            // Ready only if there is room again already.
            if to.association.poll_writable(cx).is_pending() {
                return Turn::Waits;
            }
            continue;
        }
        match from.association.poll_event(cx) {
            Poll::Ready(Event::Data(message)) => from.kept = Some(message),
            Poll::Ready(Event::Down { .. }) => return Turn::Ended,
            Poll::Ready(_) => {}
            Poll::Pending => {
                to.association.flush();
                return Turn::Waits;
            }
        }
    }
    Turn::Went
}
