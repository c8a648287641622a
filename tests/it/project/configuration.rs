//! Every setting is a member of the configuration that is data, or is code for a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Types with setters, and the table of the schema that has their members.
const TABLES: [(&str, &str); 16] = [
    ("ResourceServerBuilder", "ServerTable"),
    ("Resource", "ResourceTable"),
    ("Issuer", "IssuerTable"),
    ("DangerousIssuer", "DangerousIssuerTable"),
    ("TenantClaims", "TenantTable"),
    ("ClientTenant", "ClientTenantTable"),
    ("ClientAuthentication", "ClientAuthenticationTable"),
    ("TokenInformation", "TokenDialectTable"),
    ("StatusListCheck", "StatusListTable"),
    ("Dpop", "DpopTable"),
    ("DangerousDpop", "DangerousDpopTable"),
    ("SharedStore", "SharedStoreTable"),
    ("DangerousSharedStore", "DangerousSharedStoreTable"),
    ("SsfTransmitter", "TransmitterTable"),
    ("KeySetCopies", "KeySetCopiesTable"),
    ("DecisionRecords", "DecisionRecordsTable"),
];

/// Settings that are no members, and why.
const CODE_ONLY: [(&str, &str, &str); 24] = [
    ("ResourceServerBuilder", "check", "a function"),
    (
        "ResourceServerBuilder",
        "clock",
        "an implementation of a trait",
    ),
    ("ResourceServerBuilder", "earliest_time", "for tests"),
    ("ResourceServerBuilder", "load_revocations", "a function"),
    (
        "ResourceServerBuilder",
        "membership_directory",
        "an implementation of a trait",
    ),
    (
        "ResourceServerBuilder",
        "user_directory",
        "an implementation of a trait",
    ),
    (
        "ResourceServerBuilder",
        "workspace_directory",
        "an implementation of a trait",
    ),
    (
        "ResourceServerBuilder",
        "decision_sink",
        "an implementation of a trait",
    ),
    (
        "ResourceServerBuilder",
        "observer",
        "an implementation of a trait",
    ),
    ("DecisionRecords", "new", "an empty table"),
    (
        "DecisionRecords",
        "sink",
        "an implementation of a trait; `decision_sink` adds one to the records of a file",
    ),
    (
        "DecisionRecords",
        "fingerprint_key",
        "bytes; `fingerprint_key_base64` is the same",
    ),
    ("KeySetCopies", "in_folder", "the member `folder`"),
    (
        "KeySetCopies",
        "sealing_key",
        "bytes; `sealing_key_base64` is the same",
    ),
    ("Resource", "new", "the member `identifier`"),
    (
        "Resource",
        "scopes_of",
        "requirements of routes; `scopes` has their scopes",
    ),
    ("StatusListCheck", "new", "an empty table"),
    ("Dpop", "nonce_key", "bytes; `nonce_key_base64` is the same"),
    (
        "SharedStore",
        "cluster_key",
        "bytes; `cluster_key_base64` is the same",
    ),
    (
        "SharedStore",
        "previous_cluster_key",
        "bytes; `previous_cluster_key_base64` is the same",
    ),
    (
        "SsfTransmitter",
        "map_subjects",
        "an implementation of a trait",
    ),
    ("SsfTransmitter", "on_event", "a function"),
    ("SsfTransmitter", "new", "the member `issuer`"),
    ("SsfTransmitter", "poll_bearer_fn", "a function"),
];

#[test]
fn configuration_has_every_setting_that_is_not_code() {
    let schema = schema();
    let members = |table: &str| -> BTreeSet<String> {
        let table = match table {
            "ServerTable" => &schema["properties"],
            other => &schema["$defs"][other]["properties"],
        };
        let names = table.as_object().expect("a table").keys();
        names.cloned().collect()
    };
    let settings = settings();
    let code_only: BTreeSet<(&str, &str)> = CODE_ONLY
        .iter()
        .map(|(owner, name, _)| (*owner, *name))
        .collect();
    let mut wrong = Vec::new();
    let mut stale = code_only.clone();
    for (owner, table) in TABLES {
        let members = members(table);
        let found = settings.get(owner).expect(owner);
        assert!(!found.is_empty(), "{owner} has no setters");
        for name in found {
            if code_only.contains(&(owner, name.as_str())) {
                stale.remove(&(owner, name.as_str()));
                if members.contains(name) {
                    wrong.push(format!("{owner}::{name} is a member and code only"));
                }
            } else if !members.contains(name) {
                wrong.push(format!("{owner}::{name} is no member of {table}"));
            }
        }
    }
    for preset in presets() {
        let is_member = ["IssuerTable", "TenantTable", "TokenDialectTable"]
            .iter()
            .any(|table| members(table).contains(&preset));
        if !is_member {
            wrong.push(format!("the preset {preset} is no member"));
        }
    }
    wrong.extend(
        stale
            .iter()
            .map(|(owner, name)| format!("there is no {owner}::{name}")),
    );
    assert!(
        wrong.is_empty(),
        "add a line to `src/server/config/sections/`, or a reason to this test:\n{}",
        wrong.join("\n")
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    let text = fs::read_to_string(root().join("docs/configuration.schema.json"));
    serde_json::from_str(&text.expect("the schema")).expect("JSON")
}

/// Public constructors and setters by the type that they belong to.
fn settings() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        for (at, _) in text.match_indices("\nimpl ") {
            let block = &text[at + "\nimpl ".len()..];
            let (owner, block) = block.split_once(" {").unwrap_or(("", ""));
            if !TABLES.iter().any(|(known, _)| *known == owner) {
                continue;
            }
            let block = block.split("\n}\n").next().unwrap_or_default();
            for (at, _) in block.match_indices("\n    pub fn ") {
                let signature = block[at + "\n    pub fn ".len()..].split(" {\n").next();
                let signature = signature.expect("a signature");
                let head = signature.split("\n    where").next().unwrap_or_default();
                let (_, result) = head.rsplit_once("->").unwrap_or_default();
                let makes_one = ["Self", "Issuer", "Dpop", "SharedStore"];
                let is_danger = signature.starts_with("danger(");
                if makes_one.contains(&result.trim()) || is_danger {
                    let name = signature.split(['(', '<']).next().unwrap_or_default();
                    let settings = found.entry(owner.to_owned()).or_default();
                    settings.insert(name.to_owned());
                }
            }
        }
    }
    found
}

/// The functions of `portcullis::presets`.
fn presets() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src/presets.rs")).expect("presets");
    let mut names = BTreeSet::new();
    for list in text.split("pub use ").skip(1) {
        let list = list.split(';').next().unwrap_or_default();
        let list = list.rsplit_once("::").map_or(list, |(_, names)| names);
        let words = list.split(|one: char| !one.is_alphanumeric() && one != '_');
        names.extend(words.filter(|word| !word.is_empty()).map(ToOwned::to_owned));
    }
    assert!(names.len() >= 14, "{names:?}");
    names
}
