//! The check of an application against its OpenAPI document.

mod document;
mod sample;
mod fault;
mod settings;
mod request;
mod judge;
mod run;

pub use fault::{OpenApiFault, OpenApiFaults};
pub use settings::OpenApiCheck;
