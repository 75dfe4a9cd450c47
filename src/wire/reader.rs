//! A cursor over received octets. What it cannot give is `None`, never a panic.

/// Reads from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the first of `octets`.
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The next `N` octets by value.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next `count` octets, borrowed.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// All that was not read yet.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_end_and_not_beyond() {
        let mut reader = Reader::new(&[1, 2, 3, 4, 5]);
        assert_eq!(reader.array(), Some([1, 2]));
        assert_eq!(reader.take(2), Some(&[3, 4][..]));
        assert_eq!(reader.array::<2>(), None);
        assert_eq!(reader.take(2), None);
        assert_eq!(reader.rest(), [5], "a read that fails moves nothing");
        assert_eq!(reader.take(1), Some(&[5][..]));
        assert_eq!(reader.take(0), Some(&[][..]));
    }
}
