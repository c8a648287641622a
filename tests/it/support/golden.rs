//! Golden files: what was found, compared with what is recorded.

use std::path::Path;

/// Compares a text with the golden file at this path below `tests/it`; with `UPDATE_GOLDEN=1` it writes
/// the file first.
pub(crate) fn assert_golden(path: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it")
        .join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, found).expect("the golden file is writable");
    }
    let golden = std::fs::read_to_string(&file).expect("the golden file");
    assert!(
        found == golden,
        "{path} changed; if that is meant, run with UPDATE_GOLDEN=1:\n{found}"
    );
}
