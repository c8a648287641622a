//! The tools for tests of applications.

mod extraction;
mod release_guard;
mod reports;
mod wrong_credentials;
