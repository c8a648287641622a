//! What the manual names exists.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The tables of the chapters on testing, bound tokens and the authorization server: the test in the last column.
#[test]
fn every_test_that_the_manual_names_exists() {
    for (chapter, heading, least) in [
        ("testing", "# What is shown by which test", 20),
        ("bound_tokens", "\n# FAPI 2.0\n", 8),
        (
            "authorization_server",
            "\n# Checks of the OpenID Foundation\n",
            12,
        ),
    ] {
        let named = check_named_tests(chapter, heading);
        assert!(
            named >= least,
            "{chapter}: {named} rows; has the table moved?"
        );
    }
}

/// How many tests the section of a chapter names. Each must exist.
fn check_named_tests(chapter: &str, heading: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join(format!("src/manual/{chapter}.md")));
    let page = page.expect("a chapter");
    let (_, table) = page.split_once(heading).expect("its table");
    let (table, _) = table.split_once("<!--").expect("the links below");
    let (table, _) = table.split_once("\n\n# ").unwrap_or((table, ""));
    let mut named = 0;
    let is_row = |line: &&str| line.starts_with('|') && line.trim_end_matches(" |").ends_with('`');
    for line in table
        .lines()
        .filter(|line| is_row(line) && line.contains("::"))
    {
        let test = line.trim_end_matches([' ', '|']).rsplit('`').nth(1);
        let (file, test) = test.and_then(|test| test.rsplit_once("::")).expect(line);
        let place = format!("tests/it/{}.rs", file.replace("::", "/"));
        let text = fs::read_to_string(root.join(&place)).expect(&place);
        let mut heads = text
            .split("#[tokio::test")
            .chain(text.split("#[test"))
            .skip(1);
        assert!(
            heads.any(|head| head
                .lines()
                .take_while(|line| !line.starts_with('}'))
                .any(|line| line.contains(&format!("fn {test}(")))),
            "no test `{test}` in {file}"
        );
        named += 1;
    }
    named
}

/// Every test that may be ignored says what it needs, in words that the README has too.
#[test]
fn every_ignored_test_says_what_it_needs() {
    const NEEDS: [&str; 3] = [
        "redis-server or valkey-server",
        " from tests/interop/install",
        "PORTCULLIS_VECTORS, ",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests")];
    let mut ignored = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a file");
                for line in text.lines().map(str::trim) {
                    let Some(reason) = line.strip_prefix("#[ignore") else {
                        continue;
                    };
                    let said = reason.starts_with(" = \"needs ")
                        && NEEDS.iter().any(|need| reason.contains(need));
                    assert!(said, "{}: {line}", path.display());
                    ignored += 1;
                }
            }
        }
    }
    assert!(
        ignored >= 40,
        "{ignored} tests; do they run without their servers?"
    );
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    for need in [
        "redis-server",
        "tests/interop/install",
        "PORTCULLIS_VECTORS",
    ] {
        assert!(readme.contains(need), "the README says nothing of {need}");
    }
}

/// A chapter that says a thing twice soon says it in two ways.
#[test]
fn no_chapter_begins_two_points_with_the_same_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual");
    for entry in fs::read_dir(root).expect("the manual") {
        let path = entry.expect("an entry").path();
        let chapter = fs::read_to_string(&path).expect("a chapter");
        let mut seen = HashSet::new();
        for line in chapter.lines() {
            let point = line
                .strip_prefix("* **")
                .and_then(|rest| rest.split_once("**"));
            if let Some((point, _)) = point {
                assert!(seen.insert(point), "{}: {point}", path.display());
            }
        }
    }
}

/// The chapter on troubleshooting has each kind as a heading and each fault as a row below the
/// heading of its kind, and no others.
#[test]
fn troubleshooting_has_every_kind_and_fault_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let chapter = read("src/manual/troubleshooting.md");
    let faults = read("src/model/error/faults.rs");
    let faults_of = |name: &str| -> HashSet<String> {
        let (_, list) = faults.split_once(&format!("\n    {name} {{")).expect(name);
        let (list, _) = list.split_once("\n    }").expect(name);
        let quoted = |line: &str| line.split('"').nth(1).map(ToOwned::to_owned);
        list.lines()
            .filter(|line| line.contains(" = \""))
            .filter_map(quoted)
            .collect()
    };
    let callers = [
        "context",
        "caller",
        "guest",
        "role",
        "group",
        "actor",
        "delegation",
        "user_info",
        "objection",
    ];
    let none = HashSet::new;
    for (kind, expected) in [
        ("missing_token", none()),
        ("invalid_request", faults_of("RequestFault")),
        ("invalid_token", faults_of("TokenFault")),
        ("invalid_dpop_proof", faults_of("DpopFault")),
        ("insufficient_scope", none()),
        ("insufficient_user_authentication", none()),
        ("wrong_caller", callers.map(ToOwned::to_owned).into()),
        ("wrong_tenant", none()),
        ("no_tenant", none()),
        ("forbidden", none()),
        ("unavailable", faults_of("Outage")),
        ("not_authenticated", none()),
        ("misconfigured", faults_of("WiringFault")),
    ] {
        let is_kind = |one: &&str| one.trim_start_matches('`').starts_with(kind);
        let section = chapter.split("\n# ").find(is_kind);
        let rows: HashSet<String> = section
            .expect(kind)
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(fault, _)| fault.to_owned())
            .collect();
        assert_eq!(rows, expected, "the rows of {kind}");
    }
    let kinds = read("src/model/error/rejection.rs");
    let (_, names) = kinds.split_once("fn as_str").expect("the names");
    let (names, _) = names.split_once("\n    }\n").expect("their end");
    for name in names.split('"').skip(1).step_by(2) {
        let headings = [format!("\n# {name}\n"), format!("\n# `{name}`\n")];
        let has_one = headings.iter().any(|heading| chapter.contains(heading));
        assert!(has_one, "no section {name}");
    }
}

/// Pages that people read on the code host.
fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "RELEASING.md",
        "CHANGELOG.md",
        "examples/README.md",
    ]
    .map(|page| root.join(page))
    .into();
    for entry in fs::read_dir(root.join("src/manual")).expect("the manual") {
        let page = entry.expect("an entry").path();
        if page.extension().is_some_and(|end| end == "md") && !page.ends_with("links.md") {
            pages.push(page);
        }
    }
    pages
}

/// The text outside of code blocks and of code in a line.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The ids of a page's headings, as the code host and rustdoc make them.
fn anchors(text: &str) -> HashSet<String> {
    prose(text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|words| {
            words
                .chars()
                .filter(|one| one.is_alphanumeric() || " -_".contains(*one))
                .map(|one| if one == ' ' { '-' } else { one })
                .collect()
        })
        .collect()
}

/// Links on the code host: each relative one leads to a file, and to a heading where it names one.
/// That those of rustdoc lead to an item is checked by rustdoc, whose warnings are denied.
#[test]
fn links_of_the_pages_lead_to_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut followed = 0;
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("a page");
        let prose = prose(&text);
        let definitions = prose.lines().filter_map(|line| {
            let (label, target) = line.strip_prefix('[')?.split_once("]: ")?;
            let is_label = !label.contains('[');
            is_label.then(|| (label.to_owned(), target.to_owned()))
        });
        let definitions: Vec<(String, String)> = definitions.collect();
        let inline = prose.split("](").skip(1).filter_map(|rest| {
            let (target, _) = rest.split_once(')')?;
            Some(target.to_owned())
        });
        let targets = inline.chain(definitions.iter().map(|(_, target)| target.clone()));
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = match file {
                "" => page.clone(),
                file => page.parent().expect("a folder").join(file),
            };
            assert!(file.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() && file.extension().is_some_and(|end| end == "md") {
                let text = fs::read_to_string(&file).expect("a page");
                assert!(
                    anchors(&text).contains(anchor),
                    "{}: no heading for {target}",
                    page.display()
                );
            }
            followed += 1;
        }
        for label in prose
            .split("][")
            .skip(1)
            .filter_map(|rest| rest.split_once(']'))
        {
            let known = definitions.iter().any(|(known, _)| known == label.0);
            assert!(
                known,
                "{}: `{}` leads nowhere; run `docs/links`",
                page.display(),
                label.0
            );
        }
    }
    assert!(followed >= 500, "{followed} links; do the pages have any?");
}

/// In rustdoc an item's link leads to the item: its definition stands before each page.
#[test]
fn links_in_rustdoc_are_defined_for_every_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let links = read("src/manual/links.md");
    for line in links.lines() {
        let (label, item) = line.split_once("]: ").expect(line);
        assert_eq!(label.strip_prefix('['), Some(item));
    }
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("a page");
        for line in text.lines().filter(|line| line.starts_with("[crate::")) {
            let (label, _) = line.split_once("]: ").expect(line);
            assert!(
                links.contains(&format!("{label}]: ")),
                "{line}: run `docs/links`"
            );
        }
    }
    let modules = read("src/manual/mod.rs");
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("a page");
        let is_chapter = page.starts_with(root.join("src"));
        if !is_chapter && !page.ends_with("README.md") || page.ends_with("examples/README.md") {
            continue; // not a part of the documentation that rustdoc makes
        }
        for target in prose(&text).split("](").skip(1) {
            assert!(
                target.starts_with('#') || target.starts_with("https://"),
                "{}: `{}` leads nowhere in rustdoc",
                page.display(),
                target.lines().next().unwrap_or_default()
            );
        }
        let name = page.file_stem().expect("a name").to_string_lossy();
        let module = if is_chapter {
            let head = modules.split(&format!("pub mod {name} ")).next();
            let head = head.expect("a module");
            head.rsplit("pub mod ").next().expect("its head").to_owned()
        } else {
            read("src/lib.rs")
        };
        for picture in text
            .lines()
            .filter_map(|line| line.strip_prefix("[picture-"))
        {
            let (picture, _) = picture.split_once(']').expect("a name");
            let included = format!("docs/pictures/{picture}.md\")");
            assert!(
                module.contains(&included),
                "{name} shows no {picture} in rustdoc"
            );
        }
    }
    let included = |text: &str| text.matches("\n#[doc = include_str!(").count();
    let chapters = modules.matches("\npub mod ").count() - 1; // the changelog has no such links
    assert!(
        modules
            .matches("#[doc = include_str!(\"links.md\")]")
            .count()
            == chapters
    );
    assert!(included(&modules) > 2 * chapters);
    assert!(read("src/lib.rs").contains("#![doc = include_str!(\"manual/links.md\")]"));
}

/// Files and folders that the chapter on architecture names exist.
#[test]
fn architecture_names_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("src/manual/architecture.md")).expect("a chapter");
    let mut named = 0;
    for word in chapter.split('`').skip(1).step_by(2) {
        let is_file = Path::new(word).extension().is_some_and(|end| end == "rs");
        let is_path = word.contains('/') && (word.ends_with('/') || is_file);
        if is_path && !word.contains([' ', '<']) {
            let exists = root.join(word).exists() || root.join("src").join(word).exists();
            assert!(exists, "there is no {word}");
            named += 1;
        }
    }
    assert!(named >= 40, "{named} paths");
    let (_, glossary) = chapter.split_once("\n# Glossary").expect("the glossary");
    let terms: Vec<&str> = glossary
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .collect();
    assert!(terms.len() >= 25, "{} terms", terms.len());
    let ordered = terms
        .windows(2)
        .skip(1)
        .all(|two| two[0].to_lowercase() < two[1].to_lowercase());
    assert!(ordered, "the terms of the glossary are not in order");
}

/// Pages speak plain English: no word for a person where a value is meant, and no metaphor.
#[test]
fn pages_use_plain_words() {
    const WORDS: [&str; 12] = [
        "whoever",
        "nobody",
        "somebody",
        "anybody",
        "everybody",
        "door",
        "doors",
        "floors",
        "house",
        "room",
        "stranger",
        "strangers",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages(root) {
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        let is_word = |one: char| one.is_alphanumeric() || one == '_';
        for word in text.split(|one| !is_word(one)) {
            let is_odd = WORDS.contains(&&*word.to_lowercase());
            assert!(!is_odd, "{}: `{word}`", page.display());
        }
    }
}

/// Every setting, that is every public method that takes and returns the settings, has a row in
/// the configuration reference or, for DPoP and for resources, in the chapter on them.
#[test]
fn every_setting_has_a_row_in_the_configuration_reference() {
    const TYPES: [&str; 14] = [
        "KeySetCopies",
        "Resource",
        "StatusListCheck",
        "Issuer",
        "DangerousIssuer",
        "Dpop",
        "DangerousDpop",
        "ResourceServerBuilder",
        "SharedStore",
        "DangerousSharedStore",
        "TenantClaims",
        "AuthenticateLayer",
        "DangerousLayer",
        "RequireScopeLayer",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = ["configuration", "bound_tokens", "resources_and_metadata"];
    let page = chapters.map(|chapter| {
        let page = root.join(format!("src/manual/{chapter}.md"));
        fs::read_to_string(page).expect("a chapter")
    });
    let page = page.concat();
    let mut folders = vec![root.join("src")];
    let mut settings = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a file");
                for block in text.split("\nimpl").skip(1) {
                    let (head, block) = block.split_once('{').unwrap_or((block, ""));
                    let block = block.split("\n}").next().unwrap_or_default();
                    let name = head.rsplit([' ', '>']).find(|word| !word.is_empty());
                    let name = name.unwrap_or_default().split('<').next();
                    if !TYPES.contains(&name.unwrap_or_default()) || head.contains(" for ") {
                        continue;
                    }
                    for method in block.split("\n    pub fn ").skip(1) {
                        let name = method.split(['(', '<']).next().expect("a name");
                        let signature = method.split('{').next().expect("a signature");
                        let words =
                            signature.split(|one: char| !one.is_alphanumeric() && one != '&');
                        let takes_self = words.into_iter().any(|word| word == "self");
                        if takes_self && name != "build" && name != "danger" {
                            let row = format!("::{name}]");
                            assert!(page.contains(&row), "no row for {name}");
                            settings += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(settings >= 80, "{settings} settings");
}

/// The tables of features in the README and in the configuration reference have each feature once.
#[test]
fn the_tables_of_features_have_each_feature_of_the_manifest_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let features = manifest.split("[features]").nth(1).expect("features");
    let features = features.split("\n[").next().expect("features");
    let mut features: Vec<&str> = features
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| *name != "default" && !name.starts_with('#'))
        .collect();
    features.sort_unstable();
    for page in ["README.md", "src/manual/configuration.md"] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        let table = text.split("\n# Features\n").nth(1);
        let table = table.or_else(|| text.split("\n## Features\n").nth(1));
        let table = table.expect("a table").trim_start();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let cells = rows.skip(2).filter_map(|row| row.split('|').nth(1));
        let mut named: Vec<&str> = cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect();
        named.sort_unstable();
        assert_eq!(named, features, "{page}");
    }
}
