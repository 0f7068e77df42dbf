//! What one write does.

use super::Family;

/// Operations to be applied together, in order. They are kept in one buffer, so a batch of millions costs little more
/// than its keys and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    ops: Vec<Op>,
}

/// One operation, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOp<'a> {
    /// Sets the value under a key.
    Put {
        /// Where.
        family: Family,
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Removes a key; nothing if it is not there.
    Delete {
        /// Where.
        family: Family,
        /// The key.
        key: &'a [u8],
    },
    /// Removes every key from `from` (included) to `to` (excluded); nothing if `to` is not above `from`.
    DeleteRange {
        /// Where.
        family: Family,
        /// The first key removed.
        from: &'a [u8],
        /// The first key kept.
        to: &'a [u8],
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Put,
    Delete,
    DeleteRange,
}

/// An operation's two byte strings end at these places of the buffer; the first starts where the last operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Op {
    verb: Verb,
    family: Family,
    first_end: usize,
    second_end: usize,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Sets the value under a key.
    pub fn put(&mut self, family: Family, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Batch {
        self.push(Verb::Put, family, key.as_ref(), value.as_ref())
    }

    /// Removes a key.
    pub fn delete(&mut self, family: Family, key: impl AsRef<[u8]>) -> &mut Batch {
        self.push(Verb::Delete, family, key.as_ref(), &[])
    }

    /// Removes every key from `from` (included) to `to` (excluded).
    pub fn delete_range(
        &mut self,
        family: Family,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
    ) -> &mut Batch {
        self.push(Verb::DeleteRange, family, from.as_ref(), to.as_ref())
    }

    /// How many operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The operations in order.
    pub fn ops(&self) -> impl Iterator<Item = BatchOp<'_>> {
        let mut start = 0;
        self.ops.iter().map(move |op| {
            let family = op.family;
            let first = self.bytes.get(start..op.first_end).unwrap_or_default();
            let second = self.bytes.get(op.first_end..op.second_end).unwrap_or_default();
            start = op.second_end;
            match op.verb {
                Verb::Put => BatchOp::Put { family, key: first, value: second },
                Verb::Delete => BatchOp::Delete { family, key: first },
                Verb::DeleteRange => BatchOp::DeleteRange { family, from: first, to: second },
            }
        })
    }

    fn push(&mut self, verb: Verb, family: Family, first: &[u8], second: &[u8]) -> &mut Batch {
        self.bytes.extend_from_slice(first);
        let first_end = self.bytes.len();
        self.bytes.extend_from_slice(second);
        self.ops.push(Op { verb, family, first_end, second_end: self.bytes.len() });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_as_they_went_in() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        batch.put(Family::Meta, b"a", b"").delete(Family::Log, b"bc").delete_range(Family::Schema, b"", b"d");
        batch.put(Family::Objects, b"", b"xyz");
        let ops: Vec<BatchOp<'_>> = batch.ops().collect();
        assert_eq!(
            ops,
            [
                BatchOp::Put { family: Family::Meta, key: b"a", value: b"" },
                BatchOp::Delete { family: Family::Log, key: b"bc" },
                BatchOp::DeleteRange { family: Family::Schema, from: b"", to: b"d" },
                BatchOp::Put { family: Family::Objects, key: b"", value: b"xyz" },
            ]
        );
        assert_eq!((batch.len(), batch.size_bytes()), (4, 7));
    }
}
