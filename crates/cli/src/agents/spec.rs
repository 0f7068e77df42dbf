//! What is said of an agent: from flags over what was said before.

use pemba_proto::pemba::v1::{AgentKind, AgentSpec};

use super::agent_args::{Clearable, SpecFlags};
use super::scope::scope;
use super::time::{Span, When};

/// Replaces what the flags give.
pub(super) fn apply(spec: &mut AgentSpec, flags: SpecFlags) {
    fn put<T>(into: &mut T, given: Option<T>) {
        if let Some(given) = given {
            *into = given;
        }
    }
    fn put_all<T>(into: &mut Vec<T>, given: Vec<T>) {
        if !given.is_empty() {
            *into = given;
        }
    }
    put(&mut spec.kind, flags.kind.map(AgentKind::into));
    put_all(&mut spec.external_names, flags.external_name);
    put_all(&mut spec.sponsors, flags.sponsor);
    put_all(&mut spec.owners, flags.owner);
    put(&mut spec.purpose, flags.purpose);
    put_all(&mut spec.purpose_permissions, flags.may_use);
    put(&mut spec.blueprint, flags.blueprint);
    put(&mut spec.environment, flags.environment);
    put(&mut spec.tenant, flags.tenant);
    put_all(&mut spec.labels, flags.label);
    put(&mut spec.max_depth, flags.max_depth);
    put(&mut spec.own_grants_required, flags.own_grants_required);
    spec.not_before = flags.not_before.map(When::to_wire).or(spec.not_before);
    spec.not_after = flags.until.map(When::to_wire).or(spec.not_after);
    spec.attest_every = flags.attest_every.map(Span::to_wire).or(spec.attest_every);
    spec.orphan_grace = flags.orphan_grace.map(Span::to_wire).or(spec.orphan_grace);
    spec.ceiling = scope(flags.ceiling).or(spec.ceiling.take());
}

/// Takes one thing back.
pub(super) fn clear(spec: &mut AgentSpec, what: Clearable) {
    match what {
        Clearable::ExternalNames => spec.external_names.clear(),
        Clearable::Owners => spec.owners.clear(),
        Clearable::Purpose => spec.purpose.clear(),
        Clearable::MayUse => spec.purpose_permissions.clear(),
        Clearable::Blueprint => spec.blueprint.clear(),
        Clearable::Environment => spec.environment.clear(),
        Clearable::Tenant => spec.tenant.clear(),
        Clearable::Labels => spec.labels.clear(),
        Clearable::NotBefore => spec.not_before = None,
        Clearable::Until => spec.not_after = None,
        Clearable::AttestEvery => spec.attest_every = None,
        Clearable::MaxDepth => spec.max_depth = 0,
        Clearable::Ceiling => spec.ceiling = None,
        Clearable::OrphanGrace => spec.orphan_grace = None,
    }
}
