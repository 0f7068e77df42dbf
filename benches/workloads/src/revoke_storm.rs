//! A revoke storm: users lose what they were granted, one write each, while others ask on.

use pemba_model::{ObjectRef, Operation, Relationship, SubjectRef, Update};

use crate::{Question, Workload, draw, edge, object};

const SCHEMA: &str = "\
definition user {}

definition account {
\trelation holder: user
\trelation revoked: user
\tpermission use = holder - revoked
}
";

/// Holders of an account who keep it.
const HOLDERS: u64 = 8;

#[derive(Debug, Clone, Copy)]
pub(crate) struct RevokeStorm {
    seed: u64,
    accounts: u64,
    users: u64,
    doomed: u64,
}

impl RevokeStorm {
    pub(crate) fn new(relationships: u64, seed: u64) -> RevokeStorm {
        let accounts = (relationships / 16).max(4);
        // Half of the relationships wait to be revoked.
        RevokeStorm { seed, accounts, users: (accounts / 2).max(2 * HOLDERS), doomed: accounts * HOLDERS }
    }

    fn holder(&self, account: u64, place: u64) -> u64 {
        (draw(self.seed, 1, account) + place * (self.users / HOLDERS)) % self.users
    }

    fn doomed(&self, number: u64) -> Relationship {
        let account = object("account", draw(self.seed, 2, number) % self.accounts);
        Relationship::new(account, "holder", SubjectRef::direct("user", format!("doomed-{number:08}")))
    }
}

impl Workload for RevokeStorm {
    fn name(&self) -> &'static str {
        "revoke-storm"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let kept = (0..this.accounts).flat_map(move |account| {
            (0..HOLDERS).map(move |place| {
                edge(object("account", account), "holder", object("user", this.holder(account, place)))
            })
        });
        Box::new(kept.chain((0..this.doomed).map(move |number| this.doomed(number))))
    }

    fn permission(&self) -> &'static str {
        "use"
    }

    fn resources(&self) -> u64 {
        self.accounts
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("account", number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("user", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        (0..HOLDERS).any(|place| self.holder(resource, place) == subject)
    }

    fn pair(&self, number: u64) -> (u64, u64) {
        let draw = draw(self.seed, 3, number);
        let resource = (draw >> 8) % self.accounts;
        if draw.is_multiple_of(2) {
            return (resource, (draw >> 32) % self.users);
        }
        (resource, self.holder(resource, (draw >> 4) % HOLDERS))
    }

    /// Lookups of subjects would find the doomed too, as many as are left.
    fn is_public(&self, _resource: u64) -> bool {
        true
    }

    fn churn(&self, number: u64) -> Relationship {
        self.doomed(number % self.doomed)
    }

    /// Takes back a grant by removing it, or, every second time, by excluding its holder.
    fn write(&self, number: u64) -> Update {
        let granted = self.churn(number);
        if number.is_multiple_of(2) {
            return Update { operation: Operation::Delete, relationship: granted };
        }
        let revoked = Relationship::new(granted.resource, "revoked", granted.subject);
        Update { operation: Operation::Touch, relationship: revoked }
    }

    fn after(&self, number: u64) -> Option<Question> {
        let granted = self.churn(number);
        Some(Question {
            resource: granted.resource,
            permission: self.permission().into(),
            subject: granted.subject,
            expected: false,
        })
    }
}
