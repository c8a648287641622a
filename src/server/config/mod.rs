//! The configuration as data: the server's settings from a file or from environment variables.
//!
//! 1. A configuration becomes a tree first, and the tree becomes settings: an error has the path of
//!    its member, in every format.
//! 2. A member has the name of the setting in Rust. A flag is `true`, a setting that is called once
//!    for each value takes a list.
//! 3. A secret is never a part of the configuration: a file or a variable of the environment holds it.

pub(crate) mod error;
mod duration_text;
mod node;
mod node_deserializer;
mod environment;
mod setting;
mod place;
mod section;
mod sections;
pub(crate) mod configuration;

#[cfg(test)]
mod schema;
