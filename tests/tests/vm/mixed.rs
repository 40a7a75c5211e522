//! Our own SCTP and the kernel's: associations of one with the other, inside UDP.

use std::future::poll_fn;
use std::time::Duration;

use sctp::{Backend, Event, Settings};
use tests::vm;

use crate::traffic::{
    Flow, KERNEL_UDP, OUR_UDP, associated, endpoint, endpoint_of, ips, next, poll_both, run, system,
};

const LIMIT: Duration = Duration::from_secs(150);
const OURS: Backend = Backend::Udp { encapsulation_port: OUR_UDP };
/// M3UA and Diameter.
const PPIDS: [u32; 2] = [3, 46];

/// The kernel takes SCTP inside UDP, and sends it so to us. //= RFC 6951 §5.1
fn encapsulate() {
    system("modprobe sctp");
    system(&format!("sysctl -w net.sctp.udp_port={KERNEL_UDP} net.sctp.encap_port={OUR_UDP}"));
}

#[test]
fn ours_and_the_kernels_as_client_and_as_server() {
    if !vm::entered("mixed::ours_and_the_kernels_as_client_and_as_server", LIMIT) {
        return;
    }
    encapsulate();
    run(async {
        let settings = Settings::default();
        let kernel = endpoint(&["127.0.0.2"], 2905, &settings);
        let ours = endpoint_of(OURS, &["127.0.0.1"], 2906, &settings);
        for (client, server, address) in
            [(&ours, &kernel, "127.0.0.2"), (&kernel, &ours, "127.0.0.1")]
        {
            for ppid in PPIDS {
                let (mut a, mut b) = associated(client, server, &[address]).await.unwrap();
                assert_eq!((a.peer_addresses(), a.peer_port()), (ips(&[address]), server.port()));
                let (mut there, mut back) = (Flow::new(1_000, ppid), Flow::new(1_000, ppid));
                poll_fn(|cx| poll_both((&mut a, &mut b), &mut there, &mut back, cx)).await;
                a.shutdown();
                assert!(matches!(next(&mut b).await, Event::Down { .. }));
                assert!(matches!(next(&mut a).await, Event::Down { .. }));
            }
        }
    });
}
