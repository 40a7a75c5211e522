//! What `ipxsim` says to somebody who asked for what cannot be.
#![allow(clippy::disallowed_methods, reason = "the program is run as people run it")]

use std::net::TcpListener;
use std::process::{Command, Output};

fn mme(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipxsim"));
    command.args(["mme", "--count", "1", "--imsi", "214070000000001..214070000000001"]);
    command.args(["--visited", "23410", "--destination-realm", "home.lab"]);
    command.args(arguments).output().expect("ipxsim runs")
}

#[test]
fn no_connection_at_all_is_a_mistake_of_the_command_line() {
    let output = mme(&["--connections", "0"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--connections"), "{told}");
}

#[test]
fn who_cannot_be_reached_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let output = mme(&["--connect", &nobody]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("no connection to {nobody} in 10 s")), "{told}");
}
