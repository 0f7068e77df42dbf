//! Things with numbers, as long as something mentions them.
//!
//! What is mentioned for the first time gets a number, and loses it when nothing mentions it any more. So a number that
//! something mentions never stands for anything else, and numbers stay as dense as what there is.

use super::dense::Dense;
use super::slots::Slots;

/// No number.
pub(crate) const NONE: u32 = u32::MAX;

/// Entries by number, and numbers by the hash of what the entry is about. `B` is kept beside a number where it is found.
#[derive(Debug, Clone)]
pub(super) struct Numbered<T, B = ()> {
    slots: Slots<B>,
    entries: Dense<T>,
    /// How often a number is mentioned; of a free number the next free one.
    mentions: Dense<u64>,
    /// The first number that was never given.
    next: u32,
    /// A number to give again; `NONE` when there is none.
    free: u32,
    /// Whether there were ever more things than numbers: then those without one cannot be told from each other.
    is_full: bool,
    len: usize,
}

impl<T, B> Default for Numbered<T, B> {
    fn default() -> Self {
        Numbered {
            slots: Slots::default(),
            entries: Dense::default(),
            mentions: Dense::default(),
            next: 0,
            free: NONE,
            is_full: false,
            len: 0,
        }
    }
}

impl<T, B: Copy> Numbered<T, B> {
    /// The entry of a number that something mentions.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number)
    }

    /// The number of the thing with this hash that `is_it`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        let found = self.slots.find(hash, |number| self.entries.get(number).is_some_and(&is_it));
        found.map(|(number, _)| number)
    }

    /// The number that `find` looks at first, and what is kept beside it; the entry is not looked at.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<(u32, B)> {
        self.slots.find(hash, |_| true)
    }

    /// Asks the processor for the entry of a number.
    #[inline]
    pub(super) fn ask(&self, number: u32) {
        self.entries.ask(number);
    }

    /// Whether there were ever more things than numbers.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many things have a number.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl<T: Clone + Default, B: Copy + Default> Numbered<T, B> {
    /// Mentions a thing, which `make` makes when it has no number; its number.
    pub(super) fn mention(
        &mut self,
        hash: u64,
        is_it: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Option<u32> {
        if let Some(number) = self.find(hash, is_it) {
            self.mentions.update(number, |count| *count += 1);
            return Some(number);
        }
        let number = self.unused();
        if number == NONE {
            self.is_full = true;
            return None;
        }
        self.slots.set(hash, number, B::default());
        self.entries.update(number, |entry| *entry = make());
        self.mentions.update(number, |count| *count = 1);
        self.len += 1;
        Some(number)
    }

    /// Takes one mention back; the entry if it was the last.
    pub(super) fn release(&mut self, number: u32, hash: impl FnOnce(&T) -> u64) -> Option<T> {
        let count = self.mentions.get(number).copied()?;
        if count > 1 {
            self.mentions.update(number, |count| *count -= 1);
            return None;
        }
        let mut last = T::default();
        self.entries.update(number, |entry| std::mem::swap(entry, &mut last));
        self.slots.remove(hash(&last), number);
        let next = u64::from(self.free);
        self.mentions.update(number, |count| *count = next);
        self.free = number;
        self.len -= 1;
        Some(last)
    }

    /// Changes the entry of a number that something mentions.
    pub(super) fn update(&mut self, number: u32, change: impl FnOnce(&mut T)) {
        if number != NONE {
            self.entries.update(number, change);
        }
    }

    /// Keeps something beside a number that something mentions.
    pub(super) fn set_beside(&mut self, hash: u64, number: u32, beside: B) {
        self.slots.set(hash, number, beside);
    }

    /// A number that stands for nothing.
    fn unused(&mut self) -> u32 {
        if self.free != NONE {
            let number = self.free;
            let next = self.mentions.get(number).copied().and_then(|next| u32::try_from(next).ok());
            self.free = next.unwrap_or(NONE);
            return number;
        }
        let number = self.next;
        if number != NONE {
            self.next += 1;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(name: &u32) -> u64 {
        u64::from(*name) << 33
    }

    #[test]
    fn a_number_lasts_as_long_as_it_is_mentioned() {
        let mut all: Numbered<u32> = Numbered::default();
        let mention =
            |all: &mut Numbered<u32>, name: u32| all.mention(hash(&name), |other| *other == name, || name);
        assert_eq!(mention(&mut all, 7), Some(0));
        assert_eq!(mention(&mut all, 8), Some(1));
        assert_eq!(mention(&mut all, 7), Some(0));
        assert_eq!(all.release(0, hash), None);
        assert_eq!(all.find(hash(&7), |other| *other == 7), Some(0));
        let before = all.clone();
        assert_eq!(all.release(0, hash), Some(7));
        assert_eq!(all.find(hash(&7), |other| *other == 7), None);
        assert_eq!(all.release(1, hash), Some(8));
        assert_eq!(all.len(), 0);
        // Numbers are given again, the last one freed first.
        let again = [9, 10, 11].map(|name| mention(&mut all, name));
        assert_eq!(again, [1, 0, 2].map(Some));
        assert_eq!([1, 0, 2].map(|number| all.get(number).copied()), [9, 10, 11].map(Some));
        assert_eq!((before.get(0), before.get(1), before.len()), (Some(&7), Some(&8), 2));
    }
}
