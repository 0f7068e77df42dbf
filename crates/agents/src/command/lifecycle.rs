//! How agents come, stop and go.

use pemba_model::ObjectRef;

use super::changes::{By, Changes, millis};
use super::identity::{changed, check_version, present};
use crate::error::{Reason, Refused};
use crate::moment::Moment;
use crate::records::{Agent, Status};

/// A change of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transition {
    /// From proposed to active.
    Activate,
    /// To suspended.
    Suspend,
    /// From suspended or quarantined to active.
    Resume,
    /// From active to quarantined.
    Quarantine,
    /// To retired, from anywhere, for good.
    Retire,
}

impl Transition {
    /// What it is called in histories.
    fn action(self) -> &'static str {
        match self {
            Transition::Activate => "activated",
            Transition::Suspend => "suspended",
            Transition::Resume => "resumed",
            Transition::Quarantine => "quarantined",
            Transition::Retire => "retired",
        }
    }

    /// Where it leads from a status; `None` when it does not start there.
    fn from(self, status: Status) -> Option<Status> {
        match (self, status) {
            (Transition::Activate, Status::Proposed) => Some(Status::Active),
            (Transition::Suspend, Status::Active | Status::Quarantined) => Some(Status::Suspended),
            (Transition::Resume, Status::Suspended | Status::Quarantined) => Some(Status::Active),
            (Transition::Quarantine, Status::Active) => Some(Status::Quarantined),
            (Transition::Retire, _) => Some(Status::Retired),
            _ => None,
        }
    }
}

/// Changes the status of agents, all or none. `version` is the present one of a single agent, or absent.
pub fn transition(
    moment: &Moment<'_>,
    by: &By,
    principals: &[ObjectRef],
    transition: Transition,
    version: Option<u64>,
) -> Result<Changes<Vec<Agent>>, Refused> {
    if principals.is_empty() {
        return Err(Refused::new(Reason::MissingValue, "principals", "name an agent"));
    }
    crate::scope::check_count("principals", principals.len(), crate::limits::SCOPE_OBJECTS_MAX)?;
    let mut all = Changes::new(Vec::new());
    for (at, principal) in principals.iter().enumerate() {
        if principals.iter().take(at).any(|other| other == principal) {
            let message = format!("`{principal}` is named twice");
            return Err(Refused::new(Reason::InvalidValue, "principals", message));
        }
        let before = present(moment, principal)?;
        if let Some(version) = version {
            check_version(before.version, version)?;
        }
        let status = transition.from(before.status).ok_or_else(|| {
            let message =
                format!("`{principal}` is {:?} and cannot be {}", before.status, transition.action());
            Refused::new(Reason::WrongStatus, "principals", message.to_lowercase())
        })?;
        let agent = Agent {
            status,
            status_reason: by.reason.clone(),
            version: before.version + 1,
            changed_at: moment.now(),
            ..before.as_ref().clone()
        };
        let one = changed(moment, by, agent, transition.action())?;
        all.documents.extend(one.documents);
        all.reply.push(one.reply);
    }
    Ok(all)
}

/// Says that an agent is still what it should be: its attestation reaches from now on as far as its record says.
pub fn attest(moment: &Moment<'_>, by: &By, principal: &ObjectRef) -> Result<Changes<Agent>, Refused> {
    let before = present(moment, principal)?;
    let Some(every_ms) = before.attest_every_ms else {
        let message = format!("`{principal}` needs no attestation");
        return Err(Refused::new(Reason::WrongStatus, "principal", message));
    };
    let agent = Agent {
        attest_by: Some(moment.now().plus_millis(millis(every_ms))),
        version: before.version + 1,
        changed_at: moment.now(),
        ..before.as_ref().clone()
    };
    changed(moment, by, agent, "attested")
}
