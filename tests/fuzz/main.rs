//! Fuzz targets. As tests they run the seeds and a bounded number of random inputs; under
//! libFuzzer (`./guided`) the same functions are guided by coverage.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target fails by panicking; seeds are files"
)]

mod mutate;
mod seeds;
mod signalling;
mod stretches;
mod verbs;
mod walk;

/// Random inputs in one run as a test.
const INPUTS: usize = 10_000;

/// Any bytes as one frame.
#[test]
fn verbs() {
    bolero::check!().with_iterations(INPUTS).for_each(verbs::hold);
}

/// A real frame with a few octets changed, so that most of it can still be read.
#[test]
fn verbs_on_damaged_frames() {
    let seeds = seeds::frames();
    bolero::check!().with_iterations(INPUTS).for_each(|input| {
        verbs::hold(&mutate::damaged(&seeds, input));
    });
}

/// Any bytes in any chunks from two peers, with time passing between.
#[test]
fn walk() {
    bolero::check!().with_iterations(INPUTS / 8).for_each(walk::hold);
}

/// The same with damaged real frames among them.
#[test]
fn walk_on_damaged_frames() {
    let seeds = seeds::frames();
    bolero::check!().with_iterations(INPUTS / 8).for_each(|input| {
        walk::hold(&mutate::script(&seeds, input));
    });
}

/// Segments and connections in any order, some damaged.
#[test]
fn stretches() {
    bolero::check!().with_iterations(INPUTS / 8).for_each(stretches::hold);
}

/// Any bytes as one M3UA message.
#[test]
fn signalling() {
    bolero::check!().with_iterations(INPUTS).for_each(signalling::hold);
}

/// A message with a few octets changed, its length put right.
#[test]
fn signalling_on_damaged_messages() {
    let mut seeds = signalling::seeds();
    seeds.extend(stretches::messages());
    seeds.iter().for_each(|seed| signalling::hold(seed));
    bolero::check!().with_iterations(4 * INPUTS).for_each(|input| {
        let mut message = mutate::damaged(&seeds, input);
        message.resize(message.len().next_multiple_of(4).max(8), 0);
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        message[..4].copy_from_slice(&[1, 0, 1, 1]);
        message[4..8].copy_from_slice(&length);
        signalling::hold(&message);
    });
}
