//! What routes demand beside a good token: requirements, step-up (RFC 9470), scope hierarchies.

mod authentication;
mod challenges;
mod clients;
mod hierarchies;
mod introspected;
mod parts;
mod places;
mod settings;
