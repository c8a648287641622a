//! Tokens of particular products.

mod axway;
mod presets;
mod safewhere;
