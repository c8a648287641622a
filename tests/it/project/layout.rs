//! The house has floors: a file names only what lies below it, or above it on its own floor.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Floors, lowest first.
const FLOORS: [&str; 6] = [
    "model",
    "verify",
    "runtime",
    "server",
    "middleware",
    "test_util",
];

#[test]
fn every_path_leads_down() {
    let order = rooms();
    let mut wrong = Vec::new();
    for (file, module) in &order.files {
        let text = code(file);
        for target in paths(&text, module) {
            let (Some(from), Some(to)) = (order.place(module), order.place(&target)) else {
                continue;
            };
            if to >= from && !target.starts_with(module) && !module.starts_with(&target) {
                wrong.push(format!("{} names {}", module.join("::"), target.join("::")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "paths that lead up:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn each_foreign_crate_has_its_room() {
    let rooms_of = [
        ("aws_lc_rs", vec!["verify/crypto/", "test_util/"]),
        ("jsonwebtoken", vec![]),
        // Events become records in `logging.rs` and its folder alone, which are on no floor.
        ("tracing", vec![]),
        (
            "metrics",
            vec!["server/observe/metrics.rs", "server/record_metrics.rs"],
        ),
        ("arc_swap", vec!["runtime/util/swap.rs"]),
        ("papaya", vec!["runtime/util/concurrent_map.rs"]),
        ("reqwest", vec![]),
        ("hyper_util", vec!["runtime/http/transport/"]),
        (
            "rustls_platform_verifier",
            vec!["runtime/http/transport/tls_config.rs"],
        ),
        ("utoipa", vec!["middleware/openapi/"]),
        ("aide", vec!["middleware/openapi/"]),
        (
            "flate2",
            vec![
                "verify/status_list/list.rs",
                "test_util/issuer/status_list_state.rs",
            ],
        ),
        ("redis", vec!["runtime/shared/store/"]),
        (
            "tokio_rustls",
            vec![
                "runtime/http/transport/",
                // The certificates of the settings.
                "runtime/http/tls.rs",
                "runtime/shared/store/tls.rs",
            ],
        ),
        ("rustls_native_certs", vec!["runtime/shared/store/tls.rs"]),
        (
            "axum",
            vec![
                "middleware/extract/",
                "middleware/openapi/guard_routes.rs",
                "middleware/authenticate/axum_extensions.rs",
                "middleware/authenticate/lent_body.rs",
                "middleware/lease/web_socket.rs",
                "middleware/services/backchannel_logout.rs",
                "middleware/services/ssf_push.rs",
                "test_util/authorization_server/",
                "test_util/openapi_check/",
                "test_util/extraction/",
                "test_util/wrong_credentials/",
                "middleware/services/protected_resource.rs",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    let mut lived_in = HashSet::new();
    for (file, _) in &rooms().files {
        let name = file
            .strip_prefix(source())
            .unwrap_or(file)
            .display()
            .to_string();
        let text = code(file);
        for (foreign, homes) in &rooms_of {
            if !begins_a_path(&text, foreign) {
                continue;
            }
            match homes.iter().find(|home| name.starts_with(**home)) {
                Some(home) => drop(lived_in.insert((*foreign, *home))),
                None => wrong.push(format!("{name} names {foreign}")),
            }
        }
        let low = name.starts_with("model/") || name.starts_with("verify/");
        for forbidden in ["tracing::", "tokio::", "SystemTime::now", "Instant::now"] {
            if low && text.contains(forbidden) {
                wrong.push(format!("{name} names {forbidden}"));
            }
        }
    }
    for (foreign, homes) in &rooms_of {
        let unused = homes
            .iter()
            .filter(|home| !lived_in.contains(&(*foreign, **home)));
        wrong.extend(unused.map(|home| format!("{home} does not name {foreign}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_itself_sees_a_path_that_leads_up() {
    let module = ["verify", "jose", "jws"].map(ToOwned::to_owned).to_vec();
    let found = paths(
        "use super::signature::X;\nlet y = crate::server::Y;\nuse crate::{model::time::T, runtime::clock};",
        &module,
    );
    let named: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    for expected in [
        "verify::jose::signature::X",
        "server::Y",
        "model::time::T",
        "runtime::clock",
    ] {
        assert!(named.iter().any(|path| path == expected), "{named:?}");
    }
    assert!(begins_a_path("use redis::X;", "redis"));
    assert!(!begins_a_path(
        "use crate::runtime::shared::redis::X;",
        "redis"
    ));
    let order = rooms();
    let place =
        |path: &[&str]| order.place(&path.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert!(place(&["server", "builder"]) > place(&["verify", "jose", "jws"]));
    assert!(place(&["verify", "claims"]) > place(&["verify", "jose", "jws"]));
}

/// Whether a path in this text begins with that crate: `redis::X`, and not `shared::redis::X`.
fn begins_a_path(text: &str, foreign: &str) -> bool {
    text.match_indices(&format!("{foreign}::")).any(|(at, _)| {
        !text[..at].ends_with(|one: char| one.is_alphanumeric() || "_:".contains(one))
    })
}

/// Every module, in the order in which it may be named: floor by floor, and inside a floor as
/// the `mod` lines of its `mod.rs` stand.
struct Rooms {
    files: Vec<(PathBuf, Vec<String>)>,
    order: HashMap<Vec<String>, usize>,
}

impl Rooms {
    fn place(&self, path: &[String]) -> Option<usize> {
        (1..=path.len())
            .rev()
            .find_map(|length| self.order.get(&path[..length]).copied())
    }
}

fn rooms() -> Rooms {
    let mut rooms = Rooms {
        files: Vec::new(),
        order: HashMap::new(),
    };
    for floor in FLOORS {
        walk(&source().join(floor), &[floor.to_owned()], &mut rooms);
    }
    assert!(
        rooms.files.len() > 25,
        "the walk found {} files",
        rooms.files.len()
    );
    rooms
}

/// Lists a folder's modules in the order of the `mod` lines, its own `mod.rs` last: it may name
/// all of them.
fn walk(folder: &Path, module: &[String], rooms: &mut Rooms) {
    let index = folder.join("mod.rs");
    let text =
        fs::read_to_string(&index).unwrap_or_else(|_| panic!("{} is missing", index.display()));
    for line in text.lines() {
        let Some((_, rest)) = line.split_once("mod ") else {
            continue;
        };
        let Some(name) = rest.strip_suffix(';').filter(|_| !line.starts_with("//")) else {
            continue;
        };
        let child: Vec<String> = module.iter().cloned().chain([name.to_owned()]).collect();
        let file = folder.join(format!("{name}.rs"));
        if file.exists() {
            enter(file, child, rooms);
        } else {
            walk(&folder.join(name), &child, rooms);
        }
    }
    enter(index, module.to_vec(), rooms);
}

fn enter(file: PathBuf, module: Vec<String>, rooms: &mut Rooms) {
    let place = rooms.order.len();
    rooms.order.insert(module.clone(), place);
    rooms.files.push((file, module));
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A file without its comments and its unit tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
    let text = text.replace("#[cfg(all(test, feature = \"test-util\"))]", "#[cfg(test)]");
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `crate::` and `super::` path in a text, absolute, braces resolved one level deep.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (root, mut base) in [("crate::", Vec::new()), ("super::", parent(module))] {
        let mut rest = text;
        while let Some(at) = rest.find(root) {
            rest = &rest[at + root.len()..];
            if root == "super::" {
                base = parent(module);
                while let Some(higher) = rest.strip_prefix("super::") {
                    base.pop();
                    rest = higher;
                }
            }
            let tails: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group
                    .split('}')
                    .next()
                    .unwrap_or_default()
                    .split(',')
                    .collect(),
                None => vec![rest],
            };
            for tail in tails {
                let path: String = tail
                    .trim()
                    .chars()
                    .take_while(|one| one.is_alphanumeric() || "_:".contains(*one))
                    .collect();
                let path = path.split("::").filter(|part| !part.is_empty());
                found.push(
                    base.iter()
                        .cloned()
                        .chain(path.map(ToOwned::to_owned))
                        .collect(),
                );
            }
        }
    }
    found
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len() - 1].to_vec()
}
