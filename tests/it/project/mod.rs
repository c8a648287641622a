//! Rules of this repository: the order of modules, what the manual names.

mod configuration;
mod layout;
mod lock_files;
mod manual;
