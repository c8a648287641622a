//! The lock files of the crates of their own: where the root's version would do, they have it, so that the
//! build folder is shared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn lock_files_of_side_crates_have_the_versions_of_the_root() {
    let root = versions(&folder().join("Cargo.lock"));
    let mut others = Vec::new();
    for file in side_crates() {
        let name = file.strip_prefix(folder()).unwrap().display().to_string();
        others.extend(
            drifted(&root, &versions(&file))
                .into_iter()
                .map(|one| format!("{name}: {one}")),
        );
    }
    assert!(
        others.is_empty(),
        "begin that lock file anew from the root's, then run `cargo metadata`:\n{}",
        others.join("\n")
    );
}

#[test]
fn lock_files_may_have_versions_that_are_incompatible_with_the_roots() {
    let of = |text: &str| {
        let mut found = Versions::new();
        for (name, version) in text.split(' ').filter_map(|one| one.split_once('@')) {
            found.entry(name.into()).or_default().insert(version.into());
        }
        found
    };
    let root = of("axum@0.8.4 syn@2.0.1");
    assert!(drifted(&root, &of("axum@0.7.9 axum@0.8.4 syn@1.0.0 tonic@0.1.0")).is_empty());
    assert_eq!(drifted(&root, &of("axum@0.8.5")), ["axum 0.8.5"]);
    assert_eq!(drifted(&root, &of("syn@2.1.0")), ["syn 2.1.0"]);
}

type Versions = BTreeMap<String, BTreeSet<String>>;

/// Packages of a version that is compatible with the root's and another.
fn drifted(root: &Versions, side: &Versions) -> Vec<String> {
    let mut found = Vec::new();
    for (name, versions) in side {
        let Some(ours) = root.get(name) else { continue };
        for version in versions.difference(ours) {
            if ours.iter().any(|one| line(one) == line(version)) {
                found.push(format!("{name} {version}"));
            }
        }
    }
    found
}

/// The part of a version within which versions are compatible for Cargo: `1`, `0.8`, `0.0.3`.
fn line(version: &str) -> &str {
    let mut end = 0;
    for part in version.split('.') {
        end += part.len();
        if part != "0" {
            break;
        }
        end += 1;
    }
    &version[..end.min(version.len())]
}

fn versions(file: &Path) -> Versions {
    let text = fs::read_to_string(file).expect("a lock file");
    let lock: toml::Table = toml::from_str(&text).expect("toml");
    let mut found = Versions::new();
    for package in lock["package"].as_array().expect("packages") {
        let member = |name: &str| package[name].as_str().expect("a text").to_owned();
        found
            .entry(member("name"))
            .or_default()
            .insert(member("version"));
    }
    found
}

/// The lock files below `benches`, `examples`, `fuzz` and `tests`.
fn side_crates() -> Vec<PathBuf> {
    let mut folders: Vec<_> = ["benches", "examples", "fuzz", "tests"]
        .map(|name| folder().join(name))
        .into();
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.ends_with("Cargo.lock") {
                files.push(path);
            }
        }
    }
    assert!(files.len() >= 8, "{files:?}");
    files
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
