//! Nanoseconds of every call. The first line has the calls; each other one a layer: name, then time and
//! status of each call, or nothing where it has none.

use portcullis_peers::{CALLS, peers, times};

const TOKENS: usize = 10_000;

fn main() {
    let mut peers = peers(TOKENS);
    let times: Vec<Vec<Option<f64>>> = (0..CALLS.len())
        .map(|kind| times(&mut peers, kind))
        .collect();
    println!("\t{}", CALLS.join("\t"));
    for (index, peer) in peers.iter().enumerate() {
        print!("{}", peer.name);
        for (call, times) in peer.calls.iter().zip(&times) {
            match (call, times[index]) {
                (Some(call), Some(time)) => print!("\t{time:.0} {}", call.status.as_u16()),
                _ => print!("\t"),
            }
        }
        println!();
    }
}
