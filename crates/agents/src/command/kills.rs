//! Kill switches, thrown and lifted.

use pemba_model::{SmolStr, Timestamp};

use super::changes::{By, Changes, check_ahead, check_name, check_object, check_text};
use crate::error::{Reason, Refused};
use crate::moment::Moment;
use crate::records::{Kill, KillMode, KillSelector};

/// A switch to throw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throw {
    /// Its name.
    pub name: SmolStr,
    /// Whom it stops.
    pub selector: KillSelector,
    /// How.
    pub mode: KillMode,
    /// The first instant at which it no longer holds.
    pub until: Option<Timestamp>,
}

/// Throws a switch. One of the same name that is over is replaced.
pub fn throw_kill(moment: &Moment<'_>, by: &By, new: Throw) -> Result<Changes<Kill>, Refused> {
    check_name("name", &new.name)?;
    check_text("reason", &by.reason)?;
    match &new.selector {
        KillSelector::Agent(object) => check_object("selector.agent", object)?,
        KillSelector::Owner(object) => check_object("selector.owner", object)?,
        KillSelector::Sponsor(object) => check_object("selector.sponsor", object)?,
        KillSelector::Blueprint(name) => check_name("selector.blueprint", name)?,
        KillSelector::Label(name) => check_name("selector.label", name)?,
        KillSelector::Tenant(name) => check_name("selector.tenant", name)?,
        KillSelector::All => {}
    }
    if let Some(until) = new.until {
        check_ahead("until", until, moment.now())?;
    }
    let before = moment.book.kill(&new.name);
    if before.is_some_and(|kill| kill.until.is_none_or(|until| moment.now() < until)) {
        let message = format!("a switch `{}` is on: lift it, or choose another name", new.name);
        return Err(Refused::new(Reason::KillExists, "name", message));
    }
    let kill = Kill {
        name: new.name,
        selector: new.selector,
        mode: new.mode,
        reason: by.reason.clone(),
        by: by.client.clone(),
        at: moment.now(),
        until: new.until,
    };
    let mut changes = Changes::new(kill.clone());
    changes.put(&kill)?;
    Ok(changes)
}

/// Lifts a switch.
pub fn lift_kill(moment: &Moment<'_>, by: &By, name: &str) -> Result<Changes<Kill>, Refused> {
    check_text("reason", &by.reason)?;
    let kill = moment
        .book
        .kill(name)
        .ok_or_else(|| Refused::new(Reason::KillNotFound, "name", format!("there is no switch `{name}`")))?;
    let mut changes = Changes::new(kill.as_ref().clone());
    changes.remove(kill.as_ref());
    Ok(changes)
}
