//! What the manual names exists.

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
                .take(2)
                .any(|line| line.contains(&format!("fn {test}(")))),
            "no test `{test}` in {file}"
        );
        named += 1;
    }
    assert!(named >= 20, "{named} rows; has the table moved?");
}

/// Every kind and fault of the table of symptoms is one that the library can give.
#[test]
fn every_symptom_is_a_kind_and_a_fault_of_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(root.join("src/manual/providers.md")).expect("a chapter");
    let faults: String = [
        "model/rejection.rs",
        "middleware/admitted.rs",
        "middleware/gate.rs",
        "middleware/extract/roles.rs",
        "server/told.rs",
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
