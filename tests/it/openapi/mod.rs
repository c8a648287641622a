//! OpenAPI documents from guards, and the check of an application against its document.

mod aide;
mod check;
mod check_values;
mod golden;
mod schemes;
mod utoipa;
