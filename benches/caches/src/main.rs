//! The library's token cache beside `quick_cache`, and its read-mostly table beside `papaya`.
//!
//! `benches/caches/run` calls this and prints the tables:
//!
//! * `caches cache ENTRIES` and `caches table ENTRIES`: one row a line, the figures separated by
//!   tabs, each the median of rounds that take turns. Times are nanoseconds of the thread's CPU
//!   time, unless the row says otherwise, so that other programs on the machine count less;
//! * `caches count OWNER CALL CALLS`: makes that many calls and prints nothing. What callgrind
//!   counts for twice as many calls, less what it counts for these, is the calls' own.

mod cache;
mod measure;
mod table;

/// The library's own files, not copies. They belong to no public interface.
#[allow(dead_code)]
#[path = "../../../src/runtime"]
mod runtime {
    pub(crate) mod clock;
    pub(crate) mod cache {
        pub(crate) mod cache_set;
        pub(crate) mod key_liveness;
        pub(crate) mod token_cache;
    }
    pub(crate) mod util {
        pub(crate) mod read_mostly_table;
        pub(crate) mod striped;
        pub(crate) mod swap;
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
    pub(crate) mod jose {
        /// Stands for the library's key set: the marks of one are asked for its ids, and here it has
        /// none, so that all tokens stand on the mark of the whole set.
        pub(crate) mod jwk_set {
            pub(crate) struct KeySet;

            impl KeySet {
                pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
                    std::iter::empty()
                }

                pub(crate) const fn is_alike(&self, _: &Self) -> bool {
                    true
                }

                pub(crate) const fn is_alike_under(&self, _: &str, _: &Self) -> bool {
                    true
                }
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match arguments[..] {
        ["cache", entries] => cache::compare(number(entries)),
        ["table", entries] => table::compare(number(entries)),
        ["count", owner, call, calls] => {
            let known = cache::count(owner, call, number(calls))
                || table::count(owner, call, number(calls));
            assert!(known, "no such call: {owner} {call}");
        }
        _ => panic!("cache ENTRIES, table ENTRIES, or count OWNER CALL CALLS"),
    }
}
