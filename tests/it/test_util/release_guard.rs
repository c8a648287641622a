//! The guard that keeps the tools out of release builds, compiled by itself as the library compiles it.
//! `.ci/release_guard` tries it with the whole library.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::folder::Folder;

/// Compiles the guard, with debug assertions or without, and with this value of the variable.
fn compile(debug_assertions: &str, variable: Option<&str>) -> Output {
    let guard = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/test_util/release_guard.rs");
    let folder = Folder::new();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
        ])
        .arg(format!("-Cdebug-assertions={debug_assertions}"))
        .arg("--out-dir")
        .arg(folder.path())
        .arg(guard)
        .env_remove("PORTCULLIS_TEST_UTIL_IN_RELEASE");
    if let Some(value) = variable {
        command.env("PORTCULLIS_TEST_UTIL_IN_RELEASE", value);
    }
    command.output().expect("rustc runs")
}

#[test]
fn release_builds_need_the_environment_variable() {
    for (debug_assertions, variable, compiles) in [
        ("on", None, true),
        ("off", Some("1"), true),
        ("off", None, false),
        ("off", Some("0"), false),
        ("off", Some(""), false),
        ("off", Some("true"), false),
    ] {
        let output = compile(debug_assertions, variable);
        let errors = String::from_utf8_lossy(&output.stderr);
        let case = format!("{debug_assertions} {variable:?}: {errors}");
        assert_eq!(output.status.success(), compiles, "{case}");
        if !compiles {
            assert!(
                errors.contains("PORTCULLIS_TEST_UTIL_IN_RELEASE=1"),
                "{case}"
            );
            assert!(
                errors.contains("the feature `test-util` of portcullis is on"),
                "{case}"
            );
        }
    }
}
