//! Nanoseconds of a call with a seen token and a new DPoP proof. One line a row: name and time.

fn main() {
    for (name, time) in portcullis_peers::dpop::times() {
        println!("{name}\t{time:.0}");
    }
}
