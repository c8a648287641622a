//! The guard that keeps this module out of release builds.
//!
//! 1. Without debug assertions, which is how Cargo's profile `release` compiles, the library does not
//!    compile with the feature `test-util`.
//! 2. It does where the environment variable `PORTCULLIS_TEST_UTIL_IN_RELEASE` was `1` for the build, such
//!    as for benchmarks.
//! 3. Cargo compiles anew when the variable changes.

// What mints good tokens has no place in a service. A feature adds up over a whole dependency graph, so
// that one dependency or one command line can turn it on for all.
#[cfg(not(debug_assertions))]
const _: () = assert!(
    match option_env!("PORTCULLIS_TEST_UTIL_IN_RELEASE") {
        Some(value) => matches!(value.as_bytes(), b"1"),
        None => false,
    },
    "the feature `test-util` of portcullis is on in a build without debug assertions, such as a release \
     build: it is for tests and must not be part of a service. Move it to `[dev-dependencies]`; `cargo tree \
     --edges features --invert portcullis` shows what turns it on. For benchmarks and tests in release mode \
     set the environment variable PORTCULLIS_TEST_UTIL_IN_RELEASE=1"
);
