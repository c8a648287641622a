//! Tokens of particular products.

mod axway;
mod configuration_files;
mod presets;
mod safewhere;
mod workloads;
