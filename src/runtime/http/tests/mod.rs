//! The client against servers on loopback that speak HTTP by hand.

mod raw_server;
mod exchanges;
mod proxies;
