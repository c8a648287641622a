//! Tokens of particular products.

mod axway;
mod safewhere;
