//! Sponsors: one is offered, and becomes one only by accepting.

use pemba_model::ObjectRef;

use super::changes::{By, Changes, check_list};
use super::identity::{changed, check_sponsors, present};
use crate::error::{Reason, Refused};
use crate::liveness::is_live_human;
use crate::moment::Moment;
use crate::records::{Agent, Transfer};

/// Proposes a sponsor, in place of `from` or besides those there are. A proposal that waits is replaced.
pub fn propose_sponsor(
    moment: &Moment<'_>,
    by: &By,
    principal: &ObjectRef,
    from: Option<ObjectRef>,
    to: ObjectRef,
) -> Result<Changes<Agent>, Refused> {
    let before = present(moment, principal)?;
    if let Some(from) = from.as_ref().filter(|from| !before.sponsors.contains(from)) {
        let message = format!("`{from}` is no sponsor of `{principal}`");
        return Err(Refused::new(Reason::InvalidValue, "from", message));
    }
    if before.sponsors.contains(&to) {
        return Err(Refused::new(Reason::InvalidValue, "to", format!("`{to}` is a sponsor already")));
    }
    check_sponsors(moment, principal, std::slice::from_ref(&to))?;
    let agent = Agent {
        transfer: Some(Transfer { from, to, by: by.client.clone(), at: moment.now() }),
        version: before.version + 1,
        changed_at: moment.now(),
        ..before.as_ref().clone()
    };
    changed(moment, by, agent, "sponsor_proposed")
}

/// Makes who was proposed a sponsor. `sponsor` is who accepts.
pub fn accept_sponsor(
    moment: &Moment<'_>,
    by: &By,
    principal: &ObjectRef,
    sponsor: &ObjectRef,
) -> Result<Changes<Agent>, Refused> {
    let before = present(moment, principal)?;
    let Some(transfer) = before.transfer.as_ref().filter(|transfer| transfer.to == *sponsor) else {
        let message = format!("no sponsorship of `{principal}` waits for `{sponsor}`");
        return Err(Refused::new(Reason::TransferNotFound, "sponsor", message));
    };
    if !is_live_human(moment.book, sponsor) {
        let message = format!("`{sponsor}` no longer counts");
        return Err(Refused::new(Reason::SponsorNotLive, "sponsor", message));
    }
    let mut agent = Agent {
        transfer: None,
        version: before.version + 1,
        changed_at: moment.now(),
        ..before.as_ref().clone()
    };
    agent.sponsors.retain(|present| transfer.from.as_ref() != Some(present) && present != sponsor);
    agent.sponsors.push(sponsor.clone());
    check_list("sponsors", agent.sponsors.len())?;
    changed(moment, by, agent, "sponsor_accepted")
}
