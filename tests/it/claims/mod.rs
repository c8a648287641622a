//! Tokens and their claims: what is accepted, and what is refused with which fault.

mod application_checks;
mod claim_forms;
mod ml_dsa;
mod token_fault_details;
mod token_twins;
mod tokens;
