//! A checker of recorded histories: were concurrent reads and writes as if one after another?
//!
//! Each register has one writer, who writes 1, 2, 3, ... into it; 0 is what is there before. With one writer a register, the
//! four rules of [`Violation`] are exactly linearizability of each register, and the last one is the order between two
//! registers that one writer fills in turn.

/// An instant of the recording clock, in its ticks; only the order counts.
pub type Tick = u64;

/// One acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The register.
    pub register: usize,
    /// What was written; 1 for the register's first write.
    pub value: u64,
    /// When it was asked for.
    pub began: Tick,
    /// When it was acknowledged; `Tick::MAX` if it never was.
    pub ended: Tick,
}

/// One read of several registers at one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The values by register.
    pub values: Vec<u64>,
    /// When it was asked for.
    pub began: Tick,
    /// When it was answered.
    pub ended: Tick,
}

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// All writes.
    pub writes: Vec<Written>,
    /// All reads.
    pub reads: Vec<Read>,
    /// Pairs of registers that one writer fills in turn: each value into the first, and when that is acknowledged into
    /// the second.
    pub ordered: Vec<(usize, usize)>,
}

/// What no order of the reads and writes explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A read misses a write that was acknowledged before it began.
    Stale {
        /// The read.
        read: Read,
        /// The register.
        register: usize,
        /// The newest value that was acknowledged before.
        acknowledged: u64,
    },
    /// A read shows what nobody had begun to write when it ended.
    FromTheFuture {
        /// The read.
        read: Read,
        /// The register.
        register: usize,
    },
    /// A read shows less than one that ended before it began.
    Backwards {
        /// The one that ended first.
        earlier: Read,
        /// The one that shows less.
        later: Read,
        /// The register.
        register: usize,
    },
    /// A snapshot shows the later of two ordered writes without the earlier.
    OutOfOrder {
        /// The read.
        read: Read,
        /// The register that is written first.
        first: usize,
        /// The register that is written second.
        second: usize,
    },
}

/// The first violation of each kind and register; empty when the history is linearizable.
pub fn violations(history: &History) -> Vec<Violation> {
    let registers = history.reads.iter().map(|read| read.values.len()).max().unwrap_or(0);
    let mut found = Vec::new();
    for register in 0..registers {
        found.extend(history.reads.iter().find_map(|read| stale(history, read, register)));
        found.extend(history.reads.iter().find_map(|read| future(history, read, register)));
        found.extend(backwards(history, register));
    }
    for (first, second) in &history.ordered {
        let shows = |read: &&Read| read.values[*second] > read.values[*first];
        let out = history.reads.iter().find(shows);
        let violation =
            |read: &Read| Violation::OutOfOrder { read: read.clone(), first: *first, second: *second };
        found.extend(out.map(violation));
    }
    found
}

fn stale(history: &History, read: &Read, register: usize) -> Option<Violation> {
    let before = history.writes.iter().filter(|write| write.register == register && write.ended < read.began);
    let acknowledged = before.map(|write| write.value).max().unwrap_or(0);
    (read.values[register] < acknowledged).then(|| Violation::Stale {
        read: read.clone(),
        register,
        acknowledged,
    })
}

fn future(history: &History, read: &Read, register: usize) -> Option<Violation> {
    let begun = history.writes.iter().filter(|write| write.register == register && write.began <= read.ended);
    let newest = begun.map(|write| write.value).max().unwrap_or(0);
    (read.values[register] > newest).then(|| Violation::FromTheFuture { read: read.clone(), register })
}

fn backwards(history: &History, register: usize) -> Option<Violation> {
    let mut by_begin: Vec<&Read> = history.reads.iter().collect();
    by_begin.sort_by_key(|read| read.began);
    let mut by_end = by_begin.clone();
    by_end.sort_by_key(|read| read.ended);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<&Read> = None;
    for later in by_begin {
        while let Some(earlier) = ended.next_if(|earlier| earlier.ended < later.began) {
            if highest.is_none_or(|highest| earlier.values[register] > highest.values[register]) {
                highest = Some(earlier);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| earlier.values[register] > later.values[register]) {
            return Some(Violation::Backwards { earlier: earlier.clone(), later: later.clone(), register });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(register: usize, value: u64, began: Tick, ended: Tick) -> Written {
        Written { register, value, began, ended }
    }

    fn read(values: &[u64], began: Tick, ended: Tick) -> Read {
        Read { values: values.to_vec(), began, ended }
    }

    fn found(writes: &[Written], reads: &[Read]) -> Vec<Violation> {
        violations(&History { writes: writes.to_vec(), reads: reads.to_vec(), ordered: vec![(0, 1)] })
    }

    #[test]
    fn a_good_history_has_no_violation() {
        let writes = [write(0, 1, 10, 20), write(1, 1, 21, 30), write(0, 2, 31, Tick::MAX)];
        let reads =
            [read(&[0, 0], 5, 12), read(&[1, 0], 11, 22), read(&[1, 1], 31, 33), read(&[2, 1], 32, 40)];
        assert_eq!(found(&writes, &reads), []);
    }

    #[test]
    fn a_planted_stale_read_is_found() {
        let violations = found(&[write(0, 1, 10, 20)], &[read(&[0, 0], 21, 22)]);
        assert!(matches!(violations[..], [Violation::Stale { register: 0, acknowledged: 1, .. }]));
    }

    #[test]
    fn a_planted_read_from_the_future_is_found() {
        let violations = found(&[write(0, 1, 10, 20)], &[read(&[1, 0], 5, 9)]);
        assert!(matches!(violations[..], [Violation::FromTheFuture { register: 0, .. }]));
    }

    #[test]
    fn a_planted_step_backwards_is_found() {
        // The write is still under way, so neither read alone is wrong.
        let writes = [write(0, 1, 10, Tick::MAX)];
        let violations = found(&writes, &[read(&[1, 0], 11, 12), read(&[0, 0], 13, 14)]);
        assert!(matches!(violations[..], [Violation::Backwards { register: 0, .. }]));
        assert_eq!(found(&writes, &[read(&[1, 0], 11, 14), read(&[0, 0], 13, 15)]), [], "they overlap");
    }

    #[test]
    fn a_planted_new_enemy_is_found() {
        let writes = [write(0, 1, 10, 20), write(1, 1, 21, 30)];
        let violations = found(&writes, &[read(&[0, 1], 15, 40)]);
        assert!(matches!(violations[..], [Violation::OutOfOrder { first: 0, second: 1, .. }]));
    }
}
