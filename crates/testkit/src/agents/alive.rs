//! Who may act at all.

use std::collections::BTreeSet;

use pemba_model::ObjectRef;

use super::facts::{Agent, Facts, Mode, Selects, Status, Switch};

impl Facts {
    /// Whether somebody may act; `given` is the incarnation that something was given to.
    pub(super) fn is_alive(&self, id: &ObjectRef, given: Option<u32>) -> bool {
        let stands = match (self.agent(id), self.human(id)) {
            (Some(agent), _) => given.is_none_or(|given| given == agent.incarnation) && self.acts(agent),
            (None, Some(human)) => human.is_active,
            (None, None) => !self.is_managed(id) && given.is_none_or(|given| given == 1),
        };
        stands && !self.is_under(id, Mode::DenyAll)
    }

    /// The agents among these objects that may not act: their usersets give nothing.
    pub fn not_live_agents<'o>(
        &self,
        objects: impl IntoIterator<Item = &'o ObjectRef>,
    ) -> BTreeSet<ObjectRef> {
        let is_withheld = |id: &&ObjectRef| self.is_agent(id) && !self.is_alive(id, None);
        objects.into_iter().filter(is_withheld).cloned().collect()
    }

    fn acts(&self, agent: &Agent) -> bool {
        agent.status != Status::Stopped
            && agent.not_before.is_none_or(|from| from <= self.now)
            && agent.ends.iter().all(|end| self.now < *end)
            && (agent.sponsors.iter().any(|sponsor| self.counts(sponsor)) || self.is_in_grace(agent))
    }

    /// Whether a human counts.
    fn counts(&self, id: &ObjectRef) -> bool {
        self.human(id).map_or(!self.is_managed(id), |human| human.is_active)
    }

    fn is_in_grace(&self, agent: &Agent) -> bool {
        let left = agent.sponsors.iter().filter_map(|sponsor| self.human(sponsor)).map(|human| human.since);
        let orphaned_at = left.chain([agent.created_at]).max().unwrap();
        let is_critical = agent.labels.iter().any(|label| label == "critical");
        let grace_ms = agent.grace_ms.unwrap_or(if is_critical { 0 } else { self.grace_ms });
        self.now < orphaned_at.plus_millis(grace_ms)
    }

    /// Whether a switch of a mode is on for somebody.
    pub(super) fn is_under(&self, id: &ObjectRef, mode: Mode) -> bool {
        self.switches.iter().any(|switch| {
            switch.mode == mode
                && switch.until.is_none_or(|until| self.now < until)
                && self.is_selected(id, switch)
        })
    }

    fn is_selected(&self, id: &ObjectRef, switch: &Switch) -> bool {
        let of = |says: &dyn Fn(&Agent) -> bool| self.agent(id).is_some_and(says);
        match &switch.selects {
            Selects::One(one) => one == id,
            Selects::All => self.is_agent(id),
            Selects::Blueprint(name) => of(&|agent| agent.blueprint.as_ref() == Some(name)),
            Selects::Tenant(name) => of(&|agent| agent.tenant.as_ref() == Some(name)),
            Selects::Label(name) => of(&|agent| agent.labels.contains(name)),
            Selects::Owner(who) => of(&|agent| agent.owners.contains(who)),
            Selects::Sponsor(who) => of(&|agent| agent.sponsors.contains(who)),
        }
    }

    /// Whether somebody is quarantined.
    pub(super) fn is_quarantined(&self, id: &ObjectRef) -> bool {
        self.agent(id).is_some_and(|agent| agent.status == Status::Quarantined)
    }

    /// The present incarnation; 1 for who has no record.
    pub(super) fn incarnation(&self, id: &ObjectRef) -> u32 {
        self.agent(id).map_or(1, |agent| agent.incarnation)
    }
}
