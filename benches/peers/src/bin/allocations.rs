//! Allocations of every call. One line a layer: name, then the count of each call.
//!
//! The counting allocator is in this binary alone, so that it costs no time in the other.

use allocation_counter::measure;
use portcullis_peers::peers;

const CALLS: u32 = 200;

fn main() {
    for mut peer in peers() {
        print!("{}", peer.name);
        for call in &mut peer.calls {
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
