//! What the manual names exists.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// The table of the providers chapter: the test in the last column.
#[test]
fn every_test_that_the_manual_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("src/manual/providers.md")).expect("a chapter");
    let (_, table) = chapter
        .split_once("# What is shown by which test")
        .expect("its table");
    let mut named = 0;
    for line in table.lines().filter(|line| line.contains("::")) {
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
    assert!(named >= 20, "{named} rows; has the table moved?");
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

/// Every kind and fault of the table of symptoms is one that the library can give.
#[test]
fn every_symptom_is_a_kind_and_a_fault_of_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("src/manual/providers.md")).expect("a chapter");
    let faults: String = [
        "model/error/faults.rs",
        "model/error/rejection.rs",
        "middleware/authenticate/context.rs",
        "middleware/authenticate/service.rs",
        "middleware/extract/guards.rs",
        "server/userinfo.rs",
    ]
    .map(|file| fs::read_to_string(root.join("src").join(file)).expect("the faults"))
    .concat();
    let table = chapter.split("# Symptoms").nth(1).expect("the symptoms");
    let table = table.split("\n# ").next().expect("its end");
    let mut named = 0;
    for line in table.lines().filter(|line| line.starts_with("| `")).skip(1) {
        let column = line.split('|').nth(1).expect("a column");
        for word in column.split('`').skip(1).step_by(2) {
            assert!(
                faults.contains(&format!("\"{word}\"")),
                "nothing is called `{word}`"
            );
            named += 1;
        }
    }
    assert!(named >= 40, "{named} words; has the table moved?");
}
