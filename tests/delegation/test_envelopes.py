"""Hostile callers at the defense's hooks: envelopes that no scripted agent of the benchmark would make.

Random sequences of delegations and tool calls, with wrong agents, ghosts as parents, other principals, scopes and ends
of any size, used envelopes and repeated delegations, while the clock moves. The reference defense answers the same calls; a
sequence ends where the two disagree, and each kind of disagreement must be on the lists below. What was let through
until then is a trace, which the benchmark's oracle must find clean. `PEMBA_ENVELOPE_SEQUENCES` and `PEMBA_FUZZ_SEED` say
how many and which.
"""

import collections
import os
import random
import time
import types
import unittest

import guard
from delegationbench.actions import ACTIONS
from delegationbench.clock import VirtualClock
from delegationbench.defense import EnvelopeGuard
from delegationbench.envelope import Envelope
from delegationbench.oracle import evaluate
from delegationbench.trace import BlockedError, Trace

SEQUENCES = int(os.environ.get("PEMBA_ENVELOPE_SEQUENCES", "200"))
SEED = int(os.environ.get("PEMBA_FUZZ_SEED", "1"))
STEPS_MAX = 20
NAMES = ["planner", "reader", "writer", "payer", "mailer"]
PRINCIPAL = "user-123"
# Pemba's reasons for blocking what the reference allows.
STRICTER = {
    # An agent uses an envelope of another agent's task to delegate: the reference looks at the caller in tool calls only.
    "CHAIN_MISMATCH",
    # An agent is a second time in one chain.
    "PRINCIPAL_TWICE",
    # An envelope's delegation was refused, and it is used again: the first use counts, whatever came of it.
    "IDEMPOTENCY_CONFLICT",
    "REPEATED_ANSWER",
    # A hop above was renewed for less: Pemba asks it again, the reference took a copy when the task was delegated.
    "OUTCOME_DENY/scope",
}
# What the reference blocks and Pemba does not; neither lets an agent do more.
LAXER = {
    # A renewal may move the end within that of the hop before.
    "renewal that ends later",
}


class Run:
    """One sequence, with both defenses and the trace of what Pemba let through."""

    def __init__(self, database, rng):
        self.rng = rng
        actions = sorted(ACTIONS)
        self.granted = frozenset(rng.sample(actions, rng.randint(1, len(actions))))
        agents = {
            name: types.SimpleNamespace(name=name, capabilities=frozenset(rng.sample(actions, 4))) for name in NAMES
        }
        self.agents = agents
        self.grant = types.SimpleNamespace(
            allowed_actions=self.granted,
            max_delegation_depth=rng.randint(0, 4),
            ttl_seconds=rng.choice([None, 60, 300]),
        )
        scenario = types.SimpleNamespace(agents=agents, task=types.SimpleNamespace(agent="planner"), grant=self.grant)
        self.clock = VirtualClock()
        self.trace = Trace(self.clock)
        self.guards = [guard.PembaGuard(database, scenario), EnvelopeGuard()]
        for one in self.guards:
            one.bind(self.clock, self.granted, PRINCIPAL)
        self.root = Envelope(
            principal=PRINCIPAL,
            task_id="root",
            allowed_actions=self.granted,
            max_delegation_depth=self.grant.max_delegation_depth,
            expires_at=self.grant.ttl_seconds,
            nonce="nonce-root",
        )
        self.trace.delegation(
            None, "root", "planner", self.granted, depth=0, nonce="nonce-root", expires_at=self.root.expires_at,
            principal=PRINCIPAL,
        )
        self.envelopes = [self.root]
        self.nonces = []
        self.calls = 0
        self.disagreement = None

    def go(self):
        # The reference takes the first caller under the root envelope for the root task's agent.
        self.tool_call(self.root, self.agents["planner"], self.rng.choice(sorted(ACTIONS)))
        for _ in range(self.rng.randint(1, STEPS_MAX)):
            if self.disagreement:
                return
            self.clock.advance(self.rng.choice([0, 0, 0, 0, 1, 30, 60]))
            if self.rng.random() < 0.55:
                self.any_delegation()
            else:
                self.any_tool_call()

    def mostly(self, usual, others):
        return usual if self.rng.random() < 0.92 else self.rng.choice(others)

    def any_envelope(self):
        ghost = Envelope(PRINCIPAL, "root/ghost", self.granted, 4, depth=1, nonce="ghost")
        return self.mostly(self.rng.choice(self.envelopes), [*self.envelopes, ghost])

    def caller_of(self, envelope):
        name = "planner" if envelope.task_id == "root" else envelope.task_id.rsplit("/", 1)[-1]
        return self.agents[self.mostly(name if name in self.agents else "reader", NAMES)]

    def delegate_of(self, parent):
        """Mostly somebody whom the chain does not have yet, or who has this task already."""
        begun = [one.task_id for one in self.envelopes if one.task_id.rpartition("/")[0] == parent.task_id]
        if begun and self.rng.random() < 0.5:
            return self.rng.choice(begun).rpartition("/")[2]
        others = [name for name in NAMES if name not in ("planner", *parent.task_id.split("/"))]
        return self.rng.choice(NAMES if self.rng.random() < 0.03 or not others else others)

    def any_delegation(self):
        rng, parent = self.rng, self.any_envelope()
        usual = sorted(parent.allowed_actions) or sorted(ACTIONS)
        pool = usual if rng.random() < 0.8 else sorted(ACTIONS)
        scope = frozenset(rng.sample(pool, rng.randint(1, min(3, len(pool)))))
        if not self.nonces or rng.random() < 0.9:
            self.nonces.append(f"nonce-{len(self.nonces)}")
        child = Envelope(
            principal=self.mostly(parent.principal, ["alice", "user-b", "nobody"]),
            task_id=f"{parent.task_id}/{self.delegate_of(parent)}",
            allowed_actions=parent.allowed_actions & scope,
            max_delegation_depth=parent.max_delegation_depth,
            depth=parent.depth + 1,
            expires_at=self.mostly(parent.expires_at, [None, 30, 90, 100_000]),
            nonce=rng.choice(self.nonces) if rng.random() < 0.1 else self.nonces[-1],
        )
        agent = self.caller_of(parent)
        if self.both("before_delegation", agent, parent, child, "a task", scope):
            self.trace.delegation(
                parent.task_id, child.task_id, child.task_id.rsplit("/", 1)[-1], scope, depth=child.depth,
                nonce=child.nonce, expires_at=child.expires_at, principal=child.principal,
            )
            self.envelopes = [one for one in self.envelopes if one.task_id != child.task_id] + [child]

    def any_tool_call(self):
        envelope = self.any_envelope()
        if self.rng.random() < 0.1:
            envelope = envelope.with_principal(self.rng.choice(["alice", "user-b", "nobody"]))
        pool = sorted(envelope.allowed_actions) if self.rng.random() < 0.7 else sorted(ACTIONS)
        self.tool_call(envelope, self.caller_of(envelope), self.rng.choice(pool or sorted(ACTIONS)))

    def tool_call(self, envelope, agent, action):
        if self.both("before_tool_call", agent, envelope, action, {}, "document"):
            about = {"source": "document", "principal": envelope.principal}
            self.trace.tool_call(envelope.task_id, agent.name, action, {}, **about)
            self.trace.tool_result(envelope.task_id, agent.name, action, "done", **about)

    def both(self, hook, *arguments):
        """Whether both let it through; notes where they do not agree, which ends the sequence."""
        self.calls += 1
        ours, theirs = (self.answer(one, hook, arguments) for one in self.guards)
        if (ours is None) != (theirs is None):
            self.disagreement = (ours, kind_of(theirs))
        return ours is None and theirs is None

    def answer(self, defense, hook, arguments):
        try:
            getattr(defense, hook)(*arguments)
            return None
        except BlockedError as blocked:
            return str(blocked)

    def verdict(self):
        rules = {
            "allowed_actions": self.granted,
            "max_delegation_depth": self.grant.max_delegation_depth,
            "principal": PRINCIPAL,
        }
        return evaluate(self.trace, rules)


def kind_of(theirs):
    """Why the reference blocks something, in few words."""
    if theirs is None:
        return None
    if "widens its effective expiry" in theirs:
        return "renewal that ends later"
    return theirs


class EnvelopesTest(unittest.TestCase):
    def test_hostile_callers(self):
        database = guard.database()
        self.addCleanup(database.close)
        began = time.monotonic()
        stricter, laxer, dirty = collections.Counter(), collections.Counter(), []
        calls = executed = 0
        for number in range(SEQUENCES):
            run = Run(database, random.Random(f"{SEED}/{number}"))
            run.go()
            calls += run.calls
            executed += sum(event.kind == "tool_call" for event in run.trace.events)
            if run.disagreement:
                ours, theirs = run.disagreement
                if ours is None:
                    laxer[theirs] += 1
                else:
                    stricter[ours.split(": ")[1]] += 1
            verdict = run.verdict()
            if verdict.violation:
                dirty.append((number, verdict.reasons))
        print(
            f"\nenvelopes: {SEQUENCES} sequences, {calls} calls, {executed} done, in {time.monotonic() - began:.1f} s; "
            f"stricter than the reference {dict(stricter)}, laxer {dict(laxer)}"
        )
        self.assertEqual(dirty, [])
        self.assertEqual(set(stricter) - STRICTER, set())
        self.assertEqual(set(laxer) - LAXER, set())
        self.assertGreater(executed, SEQUENCES // 2)


if __name__ == "__main__":
    unittest.main()
