//! The tools for tests of applications.

mod extraction;
mod release_guard;
mod wrong_credentials;
