//! The seed corpus: real frames, kept as the inputs of the `verbs` target.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sim::diameter::s6a::{self, Request};
use sim::diameter::{base, parse};
use tests::world;

use crate::walk::{HSS, MME};

/// Seeds above this teach the fuzzer little that smaller ones do not.
const SEED_OCTETS_MAX: usize = 1_200;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/__fuzz__").join(target).join("corpus")
}

/// Every frame of the corpus in a fixed order, then frames that two peers of [`crate::walk`] could
/// say: those are forwarded, and the answer is that of the first request.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder("verbs")).expect("the corpus");
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut frames: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    frames.extend(spoken());
    frames
}

fn spoken() -> Vec<Vec<u8>> {
    let [mme, hss] = [MME, HSS].map(sim::Identity::new);
    let visited = world::STEERED.parse::<sim::Plmn>().unwrap().octets();
    let (session, realm, imsi) = ("mme1.visited.lab;1;1", world::HOME_REALM, &*world::imsi(1));
    let rat = s6a::EUTRAN;
    let asks = Request { me: &mme, session, realm, host: None, imsi, visited, rat };
    let orders = Request { me: &hss, realm: world::VISITED_REALM, host: Some(MME), ..asks };
    let mut frames = vec![Vec::new(); 8];
    asks.air(&mut frames[0], (1, 1));
    asks.ulr(&mut frames[1], (1, 1));
    asks.ulr(&mut frames[2], (2, 2));
    orders.clr(&mut frames[3], (1, 1));
    base::dwr(&mut frames[4], &mme, (3, 3));
    base::dpr(&mut frames[5], &mme, (4, 4));
    base::cer(&mut frames[6], &mme, std::net::Ipv4Addr::LOCALHOST.into(), (5, 5));
    // The gateway's own number for the first exchange is 0.
    let mut first = frames[1].clone();
    first[12..16].fill(0);
    let request = parse::Message::parse(&first).unwrap();
    s6a::ula(&hss).answer(&mut frames[7], &request, session.as_bytes());
    frames
}

/// Makes the corpus anew from the captures whose licence lets us keep copies (BSD; see README.md):
/// the smallest frame of each application, command and direction.
#[test]
#[ignore = "writes the corpus; run by hand where the captures are"]
fn write() {
    let Some(captures) = tests::lab("captures") else {
        return tests::skip("no captures beside the repository");
    };
    let mut kinds: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>> = BTreeMap::new();
    for entry in std::fs::read_dir(captures).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !["magma", "freeDiameter"].iter().any(|source| name.starts_with(source)) {
            continue;
        }
        for message in tests::capture::read(&path).unwrap() {
            let frame = message.octets;
            let kind = (frame[4..8].to_vec(), frame[8..12].to_vec());
            let kept = kinds.entry(kind).or_insert_with(|| frame.clone());
            if frame.len() < kept.len() {
                *kept = frame;
            }
        }
    }
    let target = folder("verbs");
    std::fs::create_dir_all(&target).unwrap();
    let frames: Vec<_> = kinds.into_values().filter(|f| f.len() <= SEED_OCTETS_MAX).collect();
    for (number, frame) in frames.iter().enumerate() {
        std::fs::write(target.join(format!("magma-{number:02}")), frame).unwrap();
    }
    // Scripts in which one of the peers says everything.
    let script = |step: u8, frame: &Vec<u8>| {
        let octets = u16::try_from(frame.len()).unwrap().to_be_bytes();
        [&[step, octets[0], octets[1]], &frame[..]].concat()
    };
    let target = folder("walk");
    std::fs::create_dir_all(&target).unwrap();
    for step in 0..2 {
        let all: Vec<u8> = frames.iter().flat_map(|frame| script(step, frame)).collect();
        std::fs::write(target.join(format!("magma-{step}")), all).unwrap();
    }
}
