//! Settings, and the mistakes that `build()` finds in them.

mod mistakes;
mod repeated_settings;
