//! Allocations of every call. The first line has the calls; each other one a layer: name, then the count of
//! each call, or nothing where it has none.
//!
//! The counting allocator is in this binary alone, so that it costs no time in the other.

use allocation_counter::measure;
use portcullis_peers::{CALLS as KINDS, peers};

const CALLS: u32 = 200;

const TOKENS: usize = 1_000;

fn main() {
    println!("\t{}", KINDS.join("\t"));
    for mut peer in peers(TOKENS) {
        print!("{}", peer.name);
        for call in &mut peer.calls {
            let Some(call) = call else {
                print!("\t");
                continue;
            };
            let counted = measure(|| {
                for _ in 0..CALLS {
                    (call.run)();
                }
            });
            print!("\t{:.0}", counted.count_total as f64 / f64::from(CALLS));
        }
        println!();
    }
}
