//! Humans: whether they still count.

use pemba_model::{ObjectRef, SmolStr};

use super::changes::{By, Changes, check_name, check_object, check_text};
use crate::error::{Reason, Refused};
use crate::moment::Moment;
use crate::records::{Human, HumanStatus, PrincipalKind};

/// What is said of a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHuman {
    /// The account.
    pub principal: ObjectRef,
    /// Whether they count.
    pub status: HumanStatus,
    /// The person behind it.
    pub person: Option<SmolStr>,
}

/// Sets what is known of a human.
pub fn set_human(moment: &Moment<'_>, by: &By, new: SetHuman) -> Result<Changes<Human>, Refused> {
    check_object("principal", &new.principal)?;
    check_text("reason", &by.reason)?;
    new.person.iter().try_for_each(|person| check_name("person", person))?;
    let is_agent = moment.book.agent(&new.principal).is_some()
        || moment.book.is_of_kind(&new.principal.object_type, PrincipalKind::Agent);
    if is_agent {
        let message = format!("`{}` is an agent", new.principal);
        return Err(Refused::new(Reason::TypeMismatch, "principal", message));
    }
    let before = moment.book.human(&new.principal);
    let human = Human {
        since: match before {
            Some(before) if before.status == new.status => before.since,
            _ => moment.now(),
        },
        version: before.map_or(1, |before| before.version + 1),
        by: by.client.clone(),
        reason: by.reason.clone(),
        principal: new.principal,
        status: new.status,
        person: new.person,
    };
    let mut changes = Changes::new(human.clone());
    changes.put(&human)?;
    Ok(changes)
}
