//! Verified values for unit tests of handlers.
//!
//! 1. A value comes out of a request that passes a layer and the value's own extractor: every check
//!    of production is made, and no check of its own is made here.
//! 2. The server, the path and the layer's context fit the token unless a test says otherwise.
//! 3. Nothing is served and nothing waits: keys are static.

mod refusal;
mod settings;
mod defaults;
mod run;

pub use refusal::ExtractionRefusal;
pub use settings::Extraction;
