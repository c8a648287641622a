//! The check that an application refuses every kind of wrong credential as documented.
//!
//! 1. Every wrong token is the good one with one thing changed, so that nothing else refuses it.
//! 2. The good one must be accepted, before and after: an application that refuses everything
//!    proves nothing.
//! 3. Each row of the table has a stable name, and one documented answer.

mod fault;
mod expected;
mod settings;
mod step;
mod sample;
mod row;
mod rows;
mod names;
mod run;

pub use fault::{WrongCredentialsFault, WrongCredentialsFaults};
pub use settings::WrongCredentials;
