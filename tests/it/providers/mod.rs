//! Tokens of particular products.

mod axway;
mod presets;
mod safewhere;
mod workloads;
