//! A feed with blocks: followers see an account's posts, unless the account blocks them or the post is hidden from them.

use pemba_model::{ObjectRef, Relationship, SubjectRef};

use crate::{Workload, draw, edge, object};

const SCHEMA: &str = "\
definition user {}

definition account {
\trelation owner: user
\trelation follower: user
\trelation blocked: user
\tpermission see = (owner + follower) - blocked
}

definition post {
\trelation account: account
\trelation hidden: user
\tpermission view = account->see - hidden
}
";

/// Followers of an account, every second one of whom it blocks.
const FOLLOWERS: u64 = 20;
const BLOCKED: u64 = FOLLOWERS / 2;

#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockedFeed {
    seed: u64,
    accounts: u64,
    posts: u64,
    users: u64,
}

impl BlockedFeed {
    pub(crate) fn new(relationships: u64, seed: u64) -> BlockedFeed {
        let accounts = (relationships / 50).max(5);
        BlockedFeed { seed, accounts, posts: accounts * 9, users: (relationships / 25).max(2 * FOLLOWERS) }
    }

    fn follower(&self, account: u64, place: u64) -> u64 {
        (draw(self.seed, 1, account) + place * (self.users / FOLLOWERS)) % self.users
    }

    fn owner(&self, account: u64) -> u64 {
        draw(self.seed, 2, account) % self.users
    }

    fn account_of(&self, post: u64) -> u64 {
        draw(self.seed, 3, post) % self.accounts
    }

    /// Whom a post is hidden from: one of the followers who are not blocked.
    fn hidden(&self, post: u64) -> u64 {
        self.follower(self.account_of(post), 2 * (draw(self.seed, 4, post) % BLOCKED) + 1)
    }

    fn of_account(self, account: u64) -> impl Iterator<Item = Relationship> {
        let this = self;
        let followers = (0..FOLLOWERS).map(move |place| ("follower", this.follower(account, place)));
        let blocked = (0..BLOCKED).map(move |place| ("blocked", this.follower(account, 2 * place)));
        [("owner", self.owner(account))]
            .into_iter()
            .chain(followers)
            .chain(blocked)
            .map(move |(relation, user)| edge(object("account", account), relation, object("user", user)))
    }

    fn of_post(self, post: u64) -> [Relationship; 2] {
        [
            edge(object("post", post), "account", object("account", self.account_of(post))),
            edge(object("post", post), "hidden", object("user", self.hidden(post))),
        ]
    }
}

impl Workload for BlockedFeed {
    fn name(&self) -> &'static str {
        "blocked-feed"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let accounts = (0..this.accounts).flat_map(move |account| this.of_account(account));
        Box::new(accounts.chain((0..this.posts).flat_map(move |post| this.of_post(post))))
    }

    fn permission(&self) -> &'static str {
        "view"
    }

    fn resources(&self) -> u64 {
        self.posts
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("post", number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("user", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        let account = self.account_of(resource);
        let place = (0..FOLLOWERS).find(|place| self.follower(account, *place) == subject);
        let blocked = place.is_some_and(|place| place.is_multiple_of(2));
        (place.is_some() || self.owner(account) == subject) && !blocked && self.hidden(resource) != subject
    }

    /// Three in four questions come from a follower.
    fn pair(&self, number: u64) -> (u64, u64) {
        let draw = draw(self.seed, 5, number);
        let resource = (draw >> 8) % self.posts;
        if draw.is_multiple_of(4) {
            return (resource, (draw >> 32) % self.users);
        }
        (resource, self.follower(self.account_of(resource), (draw >> 4) % FOLLOWERS))
    }

    fn churn(&self, number: u64) -> Relationship {
        let account = object("account", draw(self.seed, 6, number) % self.accounts);
        Relationship::new(account, "blocked", SubjectRef::direct("user", format!("stranger-{number}")))
    }
}
