//! The library's token cache beside `quick_cache`.
//!
//! `benches/caches/run` calls this and prints the table:
//!
//! * `caches cache ENTRIES`: one row a line, the figures separated by tabs, each the median of rounds
//!   that take turns. Times are nanoseconds of the thread's CPU time, unless the row says otherwise,
//!   so that other programs on the machine count less;
//! * `caches count OWNER CALL CALLS`: makes that many calls and prints nothing. What callgrind
//!   counts for twice as many calls, less what it counts for these, is the calls' own.

mod cache;
mod measure;

/// The library's own files, not copies. They belong to no public interface.
#[allow(dead_code, unused_imports)]
#[path = "../../../src/runtime"]
mod runtime {
    pub(crate) mod clock;
    pub(crate) mod cache {
        pub(crate) mod validity;
        pub(crate) mod cache_set;
        pub(crate) mod sightings;
        pub(crate) mod token_cache;
    }
    pub(crate) mod util {
        pub(crate) mod sync;
        pub(crate) mod swap;
        pub(crate) mod striped;
    }
}

#[allow(dead_code)]
#[path = "../../../src/model"]
mod model {
    pub(crate) mod time;
}

#[allow(dead_code)]
#[path = "../../../src/verify"]
mod verify {
    pub(crate) mod crypto {
        pub(crate) mod token_hash;
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match arguments[..] {
        ["cache", entries] => cache::compare(number(entries)),
        ["count", owner, call, calls] => {
            let known = cache::count(owner, call, number(calls));
            assert!(known, "no such call: {owner} {call}");
        }
        _ => panic!("cache ENTRIES, or count OWNER CALL CALLS"),
    }
}
