//! Parts of keys: big-endian numbers behind the number of the database.

/// The number of the database: files, group commit and backup can be shared by more than one.
const DATABASE: u32 = 0;

/// What every key begins with.
pub(super) const PREFIX: [u8; 4] = DATABASE.to_be_bytes();
/// Above every key of the database.
pub(super) const PREFIX_END: [u8; 4] = (DATABASE + 1).to_be_bytes();

/// The parts one after the other; `N` is the sum of their lengths.
pub(super) fn join<const N: usize, const M: usize>(parts: [&[u8]; M]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N, "parts fill the key");
    let mut key = [0; N];
    for (slot, byte) in key.iter_mut().zip(parts.into_iter().flatten()) {
        *slot = *byte;
    }
    key
}

/// Takes a key apart from the front.
pub(super) struct KeyReader<'a> {
    rest: &'a [u8],
}

impl<'a> KeyReader<'a> {
    /// Reads behind the database's number; `None` if the key is another database's.
    pub(super) fn new(key: &'a [u8]) -> Option<KeyReader<'a>> {
        key.strip_prefix(&PREFIX).map(|rest| KeyReader { rest })
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// The next four bytes.
    pub(super) fn number_u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub(super) fn number_u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// The value, provided nothing is left.
    pub(super) fn end<T>(self, value: T) -> Option<T> {
        self.rest.is_empty().then_some(value)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}
