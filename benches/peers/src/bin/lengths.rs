//! Nanoseconds of a call by the length of its token. The first line has the lengths; each other one a layer:
//! name, then the times.

use portcullis_peers::by_length;

const LENGTHS: [usize; 6] = [1_400, 2_800, 4_100, 8_000, 12_000, 16_000];

const TOKENS: usize = 1_000;

fn main() {
    println!("bytes\t{}", LENGTHS.map(|it| it.to_string()).join("\t"));
    let times = by_length(&LENGTHS, TOKENS);
    for (place, (name, _)) in times[0].iter().enumerate() {
        let cells = times.iter().map(|row| format!("{:.0}", row[place].1));
        println!("{name}\t{}", cells.collect::<Vec<_>>().join("\t"));
    }
}
