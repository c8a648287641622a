//! Settings, the mistakes that `build()` finds in them, and the conversions of public values.

mod configuration;
mod configuration_watch;
mod conversions;
mod mistakes;
mod repeated_settings;
