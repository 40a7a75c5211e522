//! The admin API: what the running gateway says of itself, over HTTP on loopback by default.
//!
//! | path | what |
//! |---|---|
//! | `GET /healthz` | `ok` once every listener is bound |
//! | `GET /metrics` | OpenMetrics text: the folds over records, and gauges of links and queues |
//! | `GET /peers` | every link with its state and counters, JSON |
//! | `GET /summary` | the live folds `ipxd lab` draws, JSON |
//! | `POST /reload` | read the policies again; 200 with a report or 422 with every mistake |

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use journal::{Kind, exposition};
use procedure::LinkId;
use relay::{Board, LinkStatus};
use serde::Serialize;

use crate::reload::Reloader;

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
    pub(crate) origin_host: String,
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
    if let Err(error) = axum::serve(listener, app).await {
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

async fn reload(State(admin): State<Arc<Admin>>) -> Response {
    match tokio::task::spawn_blocking(move || admin.reloader.reload()).await {
        Ok(Ok(report)) => (StatusCode::OK, report).into_response(),
        Ok(Err(mistakes)) => (StatusCode::UNPROCESSABLE_ENTITY, mistakes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
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
