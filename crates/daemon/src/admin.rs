//! The admin API: what the running gateway says of itself, over HTTP on loopback by default.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | `ok` once every listener is bound |
//! | `GET /metrics` | OpenMetrics text: the folds over records, and gauges of links and queues |
//! | `GET /peers` | every link with its state and counters, JSON |
//! | `GET /summary` | the live folds `ipxd lab` draws, JSON |
//! | `POST /reload` | read the policies again; 200 with a report or 422 with every mistake |
//!
//! What changes something is asked for by address (or as `localhost`), and by no web page of
//! somebody else's: a browser on the operator's desk reaches loopback for whoever wrote the page it
//! shows. Otherwise 403.

use std::future::Future as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use journal::{Kind, exposition};
use procedure::LinkId;
use relay::{Board, LinkStatus};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::reload::Reloader;

/// Connections served at the same time; further ones wait in the kernel's backlog.
const ADMIN_CALLERS_MAX: usize = 64;
/// How long one connection may last, however busy; who wants more connects anew.
const ADMIN_CALL: Duration = Duration::from_secs(30);

/// The listener behind which there are so many seats and no more: whoever holds connections open
/// here takes no file descriptor and no memory from the peers.
struct Reception {
    listener: tokio::net::TcpListener,
    seats: Arc<Semaphore>,
}

/// A connection with its seat and its end.
struct Guest {
    stream: TcpStream,
    _seat: Option<OwnedSemaphorePermit>,
    over: Pin<Box<Sleep>>,
}

impl Listener for Reception {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok();
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Guest { stream, _seat: seat, over: Box::pin(sleep(ADMIN_CALL)) }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Guest {
    /// Waiting ends with the call.
    fn or_over<T>(
        &mut self,
        cx: &mut Context<'_>,
        now: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match now {
            Poll::Pending if self.over.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            now => now,
        }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = Pin::new(&mut self.stream).poll_read(cx, into);
        self.or_over(cx, now)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = Pin::new(&mut self.stream).poll_write(cx, octets);
        self.or_over(cx, now)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What the handlers read from.
pub(crate) struct Admin {
    pub(crate) board: Arc<Board>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) journal: Arc<journal::Handle>,
    pub(crate) door: Arc<net::DoorCounters>,
    pub(crate) reloader: Arc<Reloader>,
}

/// What does not change about a peer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin_host: Option<String>,
    pub(crate) transport: &'static str,
    /// Where we connect to; none when the peer comes to us.
    pub(crate) connect: Option<SocketAddr>,
}

/// One line of `/peers`.
#[derive(Serialize)]
struct PeerLine<'a> {
    #[serde(flatten)]
    peer: &'a Peer,
    up: bool,
    state: &'static str,
    waiting_octets: u32,
    pending: u32,
    counters: serde_json::Map<String, serde_json::Value>,
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: tokio::net::TcpListener, admin: Arc<Admin>) {
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/peers", get(peers))
        .route("/summary", get(summary))
        .route("/reload", post(reload))
        .with_state(admin);
    let seats = Arc::new(Semaphore::new(ADMIN_CALLERS_MAX));
    if let Err(error) = axum::serve(Reception { listener, seats }, app).await {
        tracing::error!(%error, "admin API ended");
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let text = admin.journal.metrics().encode(&mut |text| gauges(&admin, text));
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
        .into_response()
}

async fn peers(State(admin): State<Arc<Admin>>) -> Response {
    let lines: Vec<PeerLine<'_>> = admin
        .peers
        .iter()
        .zip(0..)
        .filter_map(|(peer, index)| {
            let status = admin.board.status(LinkId(index))?;
            let counters = status.counters.list().into_iter();
            Some(PeerLine {
                peer,
                up: status.up,
                state: status.state,
                waiting_octets: status.waiting_octets,
                pending: status.pending,
                counters: counters.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            })
        })
        .collect();
    let door: serde_json::Map<_, _> = admin.door.list().into_iter().map(count).collect();
    axum::Json(serde_json::json!({ "peers": lines, "door": door })).into_response()
}

fn count((why, value): (&'static str, u64)) -> (String, serde_json::Value) {
    (why.to_owned(), value.into())
}

async fn summary(State(admin): State<Arc<Admin>>) -> Response {
    axum::Json(admin.journal.summary()).into_response()
}

async fn reload(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    if let Err(why) = not_by_others(&headers) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    match tokio::task::spawn_blocking(move || admin.reloader.reload()).await {
        Ok(Ok(report)) => (StatusCode::OK, report).into_response(),
        Ok(Err(mistakes)) => (StatusCode::UNPROCESSABLE_ENTITY, mistakes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether nobody else's page asks: the name that was asked for is an address of ours, not a name
/// that its owner made lead here, and a page that asks came from here.
fn not_by_others(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text("host").unwrap_or_default();
    let by_address = host.parse::<SocketAddr>().is_ok()
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
        || host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost"));
    if !by_address {
        return Err("ask by address or as localhost: the Host header is a name\n");
    }
    let own = |origin: &str| origin.strip_prefix("http://").is_some_and(|from| from == host);
    let from_here = text("origin").is_none_or(own)
        && text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    if from_here { Ok(()) } else { Err("asked by a page of another origin\n") }
}

/// What is no fold over records: links, the door, the policy in force.
fn gauges(admin: &Admin, text: &mut String) {
    type Read = fn(&LinkStatus) -> u64;
    let status: Vec<_> = admin
        .peers
        .iter()
        .zip(0..)
        .filter_map(|(peer, index)| Some((peer.name.as_str(), admin.board.status(LinkId(index))?)))
        .collect();
    let gauges: [(&str, &str, Read); 3] = [
        ("ipx_link_up", "1 while traffic may pass", |s| u64::from(s.up)),
        ("ipx_link_waiting_octets", "Octets that wait to be written", |s| {
            u64::from(s.waiting_octets)
        }),
        ("ipx_link_pending", "Exchanges that wait for their answer", |s| u64::from(s.pending)),
    ];
    for (name, help, read) in gauges {
        let samples: Vec<_> = status.iter().map(|(link, s)| ([("link", *link)], read(s))).collect();
        let samples = samples.iter().map(|(labels, value)| (&labels[..], *value));
        exposition::family(text, Kind::Gauge, name, help, samples);
    }
    let events: Vec<_> = status
        .iter()
        .flat_map(|(link, s)| s.counters.list().into_iter().map(move |(e, v)| (*link, e, v)))
        .map(|(link, event, value)| ([("link", link), ("event", event)], value))
        .collect();
    let samples = events.iter().map(|(labels, value)| (&labels[..], *value));
    exposition::family(text, Kind::Counter, "ipx_link_events", "Link counters", samples);
    let door = admin.door.list();
    let callers: Vec<_> = door.iter().map(|(why, value)| ([("outcome", *why)], *value)).collect();
    let samples = callers.iter().map(|(labels, value)| (&labels[..], *value));
    exposition::family(text, Kind::Counter, "ipx_door_callers", "Callers by outcome", samples);
    let (version, failures) = admin.reloader.state();
    let one = |value| [(&[][..], value)];
    let help = "Which reload is in force, from 1";
    exposition::family(text, Kind::Gauge, "ipx_policy_version", help, one(version));
    let help = "Reloads that did not check";
    exposition::family(text, Kind::Counter, "ipx_policy_reload_failures", help, one(failures));
    let memory = admin.reloader.memory() as u64;
    let help = "Subscribers that steering remembers";
    exposition::family(text, Kind::Gauge, "ipx_steering_subscribers", help, one(memory));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_page_may_change_anything() {
        let ask = |list: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in list {
                headers.insert(*name, value.parse().expect("a value"));
            }
            not_by_others(&headers).is_ok()
        };
        for host in ["127.0.0.1:9868", "localhost:9868", "[::1]:9868", "10.0.0.7", "[::1]"] {
            assert!(ask(&[("host", host)]), "{host}");
            assert!(ask(&[("host", host), ("origin", &format!("http://{host}"))]), "{host}");
            assert!(!ask(&[("host", host), ("origin", "http://evil.example")]), "{host}");
            assert!(!ask(&[("host", host), ("origin", "null")]), "{host}");
            assert!(!ask(&[("host", host), ("sec-fetch-site", "cross-site")]), "{host}");
        }
        assert!(!ask(&[("host", "127.0.0.1:9868"), ("origin", "http://127.0.0.1:80")]));
        assert!(!ask(&[]));
        let rebound = "evil.example:9868";
        assert!(!ask(&[("host", rebound), ("origin", &format!("http://{rebound}"))]));
        assert!(!ask(&[("host", rebound)]));
        assert!(!ask(&[("host", "localhost.evil.example")]));
    }
}
