//! Nanoseconds of every call. One line a layer: name, then time and status of each call.

use portcullis_peers::{CALLS, peers, times};

fn main() {
    let mut peers = peers();
    let times: Vec<Vec<f64>> = (0..CALLS.len())
        .map(|kind| times(&mut peers, kind))
        .collect();
    for (index, peer) in peers.iter().enumerate() {
        print!("{}", peer.name);
        for (call, times) in peer.calls.iter().zip(&times) {
            print!("\t{:.0} {}", times[index], call.status.as_u16());
        }
        println!();
    }
}
