//! Relationship counters: filters under a name, registered durably and counted at the head when asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use pemba_model::{RelationshipFilter, SmolStr, names};

use crate::database::Database;
use crate::errors::CounterError;
use crate::filters::{check_filter, check_shape};
use crate::group::Group;
use crate::pending::Pending;
use crate::records::RecordError;
use crate::records::counters::{self, CounterChange};
use crate::requests::{Committed, Counted};
use crate::sequencer::Request;
use crate::store::Store;

/// Most counters of one database: all are held in memory.
pub const COUNTERS_MAX: usize = 1000;

/// The registered counters by name. A register of the head; older revisions have none of their own.
pub(crate) type Register = BTreeMap<SmolStr, RelationshipFilter>;

/// The register as readers see it. Written once a group is stored.
#[derive(Debug, Default)]
pub(crate) struct Registered(RwLock<Arc<Register>>);

impl Registered {
    /// The register of a store.
    pub(crate) fn load(store: &dyn Store) -> Result<Registered, RecordError> {
        let mut register = Register::new();
        counters::each(store, |name, filter| {
            register.insert(name, filter);
            Ok::<_, RecordError>(())
        })?;
        Ok(Registered(RwLock::new(Arc::new(register))))
    }

    /// As readers see it now.
    pub(crate) fn current(&self) -> Arc<Register> {
        Arc::clone(&self.0.read())
    }
}

impl Registered {
    /// Makes the register of a group visible, once it is stored.
    pub(crate) fn publish(&self, register: Arc<Register>) {
        *self.0.write() = register;
    }
}

impl Group<'_> {
    pub(crate) fn change_counter(&mut self, change: CounterChange) -> Result<Committed, CounterError> {
        if let Some(filter) = &change.filter {
            check_filter(self.transaction.schema(), filter)?;
        }
        let register = &self.counters;
        let name = change.name.clone();
        match &change.filter {
            Some(filter) if register.contains_key(&name) => {
                return Err(CounterError::AlreadyRegistered { name, filter: Box::new(filter.clone()) });
            }
            Some(_) if register.len() >= COUNTERS_MAX => {
                return Err(CounterError::TooMany { max: COUNTERS_MAX });
            }
            None if !register.contains_key(&name) => return Err(CounterError::NotRegistered { name }),
            Some(filter) => {
                Arc::make_mut(&mut self.counters).insert(name, filter.clone());
            }
            None => {
                Arc::make_mut(&mut self.counters).remove(&name);
            }
        }
        Ok(self.record_counter(change))
    }
}

impl Database {
    /// Registers a counter: from then on `count` answers for its name. The name is that of a relation, 3 to 64 bytes;
    /// at most `COUNTERS_MAX` are registered at once. The filter must fit the schema at that time; a later schema may
    /// take away what it names, then it counts nothing.
    pub fn register_counter(
        &self,
        name: SmolStr,
        filter: RelationshipFilter,
    ) -> Pending<Committed, CounterError> {
        let checked = check_name(&name).and_then(|()| Ok(check_shape(&filter)?));
        match checked {
            Ok(()) => self.change(CounterChange { name, filter: Some(filter) }),
            Err(error) => Pending::known(Err(error)),
        }
    }

    /// Forgets a counter.
    pub fn unregister_counter(&self, name: SmolStr) -> Pending<Committed, CounterError> {
        match check_name(&name) {
            Ok(()) => self.change(CounterChange { name, filter: None }),
            Err(error) => Pending::known(Err(error)),
        }
    }

    fn change(&self, change: CounterChange) -> Pending<Committed, CounterError> {
        self.handle.submit(|answer| Request::Counter(change, answer))
    }

    /// Counts the relationships at the head that a counter's filter matches and that have not expired. Takes time
    /// linear in what the filter has to look at, at most `query_steps_max` steps.
    pub fn count(&self, name: &str) -> Result<Counted, CounterError> {
        check_name(name)?;
        let shared = &self.handle.shared;
        let register = shared.registered.current();
        let Some(filter) = register.get(name) else {
            return Err(CounterError::NotRegistered { name: name.into() });
        };
        // The head is taken after the register: a counter is never older than what it counts.
        let head = shared.history.head();
        let steps_max = shared.limits.query_steps_max;
        let mut scan =
            head.version.snapshot.scan(filter, None, Some(shared.now(&head))).limit_steps(steps_max);
        let count = scan.by_ref().fold(0_u64, |count, _| count.saturating_add(1));
        if scan.stopped() {
            return Err(CounterError::TooManySteps { name: name.into(), steps_max });
        }
        let revision = head.version.revision();
        Ok(Counted { count, revision, token: shared.token(revision) })
    }

    /// The registered counters, by name.
    pub fn counters(&self) -> Vec<(SmolStr, RelationshipFilter)> {
        let register = self.handle.shared.registered.current();
        register.iter().map(|(name, filter)| (name.clone(), filter.clone())).collect()
    }
}

fn check_name(name: &str) -> Result<(), CounterError> {
    names::check_relation(name).map_err(|error| CounterError::InvalidName { reason: error.to_string() })
}
