//! The list of revocations, and back-channel logout.

mod clocks;
mod list;
mod logout;
mod logout_settings;
