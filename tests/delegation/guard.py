"""DelegationBench's defense interface, answered by a running Pemba.

It translates and decides nothing: before each delegation and each tool call it asks Pemba, and blocks what Pemba does
not allow. What the benchmark has no word for in Pemba is mapped so:

- An action `store.verb` is the permission `verb` on the run's object of type `store`.
- A run's user has what the grant says, by relationships of their own. Everybody else whom an attack may impersonate
  owns the whole workspace, and every agent has its capability manifest as standing relationships: a decision that
  borrowed another's authority, or the agent's, would be an allow, and seen.
- The root task is a delegation of the user to the first agent; a task is the delegation that began it. Delegating a
  task again renews its delegation.
- An envelope's nonce is an idempotency key: delegating is itself a permission, asked by CheckAndConsume under that key,
  and an answer that Pemba marks as repeated is not acted on.
- The benchmark's expiry includes its last instant, Pemba's end is the first instant outside: one nanosecond is added.
- No expiry is Pemba's longest life of a delegation, 366 days; a longer one is cut to it. More hops than Pemba's bound
  of 8 are cut to it.
"""

import collections

from authzed.api.v1 import ObjectReference
from database import NANOS, NOW, Database, Refused, authority, core, delegation, instant, object_id, subject, thing
from delegationbench.actions import ACTIONS
from delegationbench.fuzzer import SUBSTITUTE_PRINCIPALS
from delegationbench.trace import BlockedError

DEPTH_MAX = 8
# Everybody whom the benchmark's scenarios and mutations name as a principal.
OTHERS = {*SUBSTITUTE_PRINCIPALS, "user-123", "user-b", "user-corpus", "user-other"}
LIFE_MAX_NANOS = 366 * 24 * 3600 * NANOS


def parts_of(action):
    """An action's object type and permission."""
    store, _, verb = action.rpartition(".")
    return store.replace(".", "_"), verb


def stores():
    """Each object type with its permissions."""
    found = collections.defaultdict(set)
    for action in ACTIONS:
        store, verb = parts_of(action)
        found[store].add(verb)
    return {store: sorted(verbs) for store, verbs in sorted(found.items())}


def schema():
    """The schema that the actions of the benchmark need."""
    lines = [
        "definition user {}",
        "definition agent {}",
        "definition workspace {",
        "  relation member: user",
        "  relation owner: user",
        "  permission delegate = member + owner",
        "}",
    ]
    for store, verbs in stores().items():
        lines += [f"definition {store} {{", "  relation workspace: workspace"]
        for verb in verbs:
            lines.append(f"  relation can_{verb}: user | agent")
            lines.append(f"  permission {verb} = can_{verb} + workspace->owner")
        lines.append("}")
    return "\n".join(lines)


def scope_of(run, actions):
    """The scope that holds these actions in one run, and delegating."""

    def clause(resource_type, permissions):
        return core.ScopeClause(
            resource_type=resource_type, permissions=permissions, objects=core.ObjectIds(ids=[object_id(run)])
        )

    by_store = collections.defaultdict(list)
    for action in sorted(actions):
        store, verb = parts_of(action)
        by_store[store].append(verb)
    clauses = [clause("workspace", ["delegate"])]
    return core.Scope(clauses=clauses + [clause(store, verbs) for store, verbs in by_store.items()])


class PembaGuard:
    """The defense for one run of one scenario. `blocked` counts Pemba's reasons, `faults` holds what was no answer."""

    runs = 0

    def __init__(self, database, scenario):
        self.database = database
        self.scenario = scenario
        PembaGuard.runs += 1
        self.run = f"run-{PembaGuard.runs}"
        self.clock = None
        self.began = 0
        self.delegations = {}
        self.allowed = []
        self.blocked = collections.Counter()

    # What the runner calls.

    def bind(self, clock, grant_actions, principal):
        """Lays down who has what, and delegates from the user to the first agent."""
        self.clock = clock
        self.began = self.database.now - round(clock.now * NANOS)
        for name in sorted(self.scenario.agents):
            self.database.register(name)
        self.database.write(self.facts(grant_actions, principal))
        grant = self.scenario.grant
        request = delegation.DelegateRequest(
            to=subject(thing("agent", self.scenario.task.agent)),
            scope=scope_of(self.run, grant_actions),
            not_after=self.end(grant.ttl_seconds),
            depth_left=self.hops(grant.max_delegation_depth, 0),
            consent="the user's grant",
            **{"from": thing("user", principal)},
        )
        found = self.database.ask(self.database.delegations.Delegate, request)
        self.delegations["root"] = found.delegation.id

    def before_delegation(self, agent, parent, child, task, scope):
        """May this agent hand this task on?"""
        self.keep_time()
        chain = self.chain(parent, agent, child.principal)
        self.use_envelope(chain, child)
        known = self.delegations.get(child.task_id)
        wanted = scope_of(self.run, scope)
        not_after = self.end(child.expires_at)
        depth_left = self.hops(child.max_delegation_depth, child.depth)
        if known:
            request = delegation.RenewDelegationRequest(
                id=known, scope=wanted, not_after=not_after, depth_left=depth_left
            )
            self.ask(self.database.delegations.RenewDelegation, request)
            return
        request = delegation.DelegateRequest(
            parent_id=chain.delegation_id,
            root=chain.root,
            to=subject(thing("agent", child.task_id.rsplit("/", 1)[-1])),
            scope=wanted,
            not_after=not_after,
            depth_left=depth_left,
            consent=task,
            **{"from": thing("agent", agent.name)},
        )
        self.delegations[child.task_id] = self.ask(self.database.delegations.Delegate, request).delegation.id

    def before_tool_call(self, agent, env, action, args, source):
        """May this agent do this?"""
        self.keep_time()
        store, verb = parts_of(action)
        request = authority.CheckAsRequest(
            consistency=NOW,
            chain=self.chain(env, agent, env.principal),
            resource=ObjectReference(object_type=store, object_id=self.run),
            permission=verb,
        )
        self.settle(self.ask(self.database.authority.CheckAs, request).decision)
        self.allowed.append(request)

    # What the suites ask afterwards.

    def allowed_after_revoking(self):
        """Revokes the user's delegation, asks again everything that was allowed, and returns what still is."""
        request = delegation.RevokeDelegationRequest(id=self.delegations["root"], reason="the run is over")
        self.database.ask(self.database.delegations.RevokeDelegation, request)
        answers = [self.database.ask(self.database.authority.CheckAs, request) for request in self.allowed]
        return [answer for answer in answers if answer.decision.outcome != authority.OUTCOME_DENY]

    # The translation.

    def facts(self, actions, principal):
        run = self.run
        workspace = thing("workspace", run)
        user = thing("user", principal)
        facts = [(workspace, "member", user)]
        facts += [(workspace, "owner", thing("user", other)) for other in sorted(OTHERS - {principal})]
        facts += [(thing(store, run), "workspace", workspace) for store in stores()]
        manifests = [(user, actions)]
        manifests += [(thing("agent", name), agent.capabilities) for name, agent in self.scenario.agents.items()]
        for who, theirs in manifests:
            for store, verb in map(parts_of, sorted(theirs)):
                facts.append((thing(store, run), f"can_{verb}", who))
        return facts

    def chain(self, envelope, agent, principal):
        """On whose authority an agent says it acts under an envelope."""
        first, *path = envelope.task_id.split("/")
        actors = [self.scenario.task.agent, *path][:-1] if first == "root" else []
        return core.Chain(
            root=thing("user", principal),
            actors=[thing("agent", name) for name in [*actors, agent.name]],
            delegation_id=self.delegations.get(envelope.task_id, ""),
        )

    def use_envelope(self, chain, child):
        """Delegating is a permission; the envelope's nonce is good for one answer."""
        if not child.nonce:
            return
        request = authority.CheckAndConsumeRequest(
            chain=chain,
            resource=ObjectReference(object_type="workspace", object_id=self.run),
            permission="delegate",
            idempotency_key=f"{self.run}/{child.principal}/{child.nonce}",
        )
        response = self.ask(self.database.authority.CheckAndConsume, request)
        self.settle(response.decision)
        if response.repeated_answer:
            self.block("REPEATED_ANSWER", "this envelope was used before")

    def keep_time(self):
        """Brings the database's clock to where the run's clock is."""
        behind = self.began + round(self.clock.now * NANOS) - self.database.now
        if behind > 0:
            self.database.advance(behind)

    def end(self, expires_at):
        nanos = LIFE_MAX_NANOS if expires_at is None else round(expires_at * NANOS) + 1
        return instant(self.began + min(nanos, LIFE_MAX_NANOS))

    def hops(self, most, depth):
        return max(0, min(most, DEPTH_MAX - 1) - depth)

    def ask(self, method, request):
        try:
            return self.database.ask(method, request)
        except Refused as refused:
            self.block(refused.reason, str(refused))

    def settle(self, decision):
        """Only ALLOW lets anything happen."""
        if decision.outcome != authority.OUTCOME_ALLOW:
            outcome = authority.Outcome.Name(decision.outcome)
            self.block(f"{outcome}/{decision.limit.kind}", f"{decision.limit.kind} {decision.limit.detail}")

    def block(self, reason, message):
        self.blocked[reason] += 1
        raise BlockedError(f"Pemba: {reason}: {message}")


def database():
    """A database for runs of the benchmark."""
    return Database(schema())
