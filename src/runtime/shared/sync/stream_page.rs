//! The page size of stream reads: adaptive, by the size of the entries of the last page.
//!
//! After a page that could not be read, the next one has an eighth of the entries, so that the reader
//! gets past entries of any size that a connection can carry.

/// Entries of one page at most.
const MOST: usize = 1000;

/// A page of this size passes slow connections within the timeout of a command.
const TARGET_BYTES: usize = 1 << 20;

/// The number of entries of the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageSize(usize);

impl PageSize {
    pub(super) const fn new() -> Self {
        Self(MOST)
    }

    pub(super) const fn entries(self) -> usize {
        self.0
    }

    /// A page of so many entries was read, which had so many bytes.
    pub(super) fn page_read(&mut self, entries: usize, bytes: usize) {
        let each = bytes / entries.max(1);
        let fit = TARGET_BYTES / each.max(1);
        // Small ones may follow large ones, and the other way round.
        self.0 = fit.min(self.0.saturating_mul(4)).clamp(1, MOST);
    }

    /// A page could not be read.
    pub(super) fn failed(&mut self) {
        self.0 = (self.0 / 8).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shrinks_with_large_entries_and_with_failures_and_grows_again() {
        let mut size = PageSize::new();
        size.page_read(1000, 1000 * 200);
        assert_eq!(size.entries(), 1000, "as ours are");
        size.page_read(1000, 1000 << 20);
        assert_eq!(size.entries(), 1);
        size.page_read(1, 200);
        assert_eq!(size.entries(), 4);
        for _ in 0..10 {
            size.page_read(4, 800);
        }
        assert_eq!(size.entries(), 1000);
        for expected in [125, 15, 1, 1] {
            size.failed();
            assert_eq!(size.entries(), expected);
        }
        size.page_read(0, 0);
        assert_eq!(size.entries(), 4);
    }
}
