"""attenu-guard's delegation chains, translated into Pemba's delegations.

A chain of tokens becomes a chain of delegations, one request a token, in their order; the chain is accepted when Pemba
makes all of them.

- A literal scope `crm.read` is the permission `read` on all of type `crm_api`; `crm.*` is every permission the schema has
  of that type; an opaque scope is the object of that name. What is none of the three goes in as it is, split at the
  first dot.
- `par_hash` is the id of the hop before: where it is the hash of the token before, that hop's delegation; else an id
  that no delegation has.
- `sub` is the root where there is a `client_id`, and else the agent. `exp` counts from the instant the clock stands at.
- `del_max_depth` tokens may form the chain: one less for each token, this one included, may follow.
- Constraints become one caveat with the bounds fixed in its context, where they are to be translated at all.
- Signatures, algorithms, audiences, key confirmation and JSON's canonical form have no counterpart: a delegation is a
  record in the database and not a token.
"""

import base64
import hashlib
import json
import math
import re

from authzed.api.v1 import ContextualizedCaveat, ObjectReference
from database import NANOS, NOW, Database, authority, core, delegation, instant, object_id, subject, thing
from google.protobuf import struct_pb2

TYPES = {
    "crm_api": ["delete", "export", "read"],
    "crmx_api": ["read"],
    "drive_api": ["read"],
    "hr_api": ["read"],
    "mail_api": ["send"],
    "opaque": ["use"],
    "pay_api": ["transfer"],
    "probe_api": ["read"],
    "user_api": ["read"],
}
PRINCIPALS = ["principal", "acct:finance-ops@example.com", "acct:someone-else@example.com", "acct:mallory@example.com"]
LITERAL = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)+")
WILDCARD = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*\.\*")
OPAQUE = re.compile(r"[\x21\x23-\x29\x2B-\x5B\x5D-\x7E]+")


class Untranslatable(Exception):
    """A token says something that no request can say."""


def schema():
    lines = ["caveat bounded(asked string, bounds string) {", "  asked == bounds", "}"]
    lines += ["definition agent {}", "definition user {}"]
    for name, permissions in TYPES.items():
        lines += [f"definition {name} {{", "  relation holder: user"]
        lines += [f"  permission {permission} = holder" for permission in permissions]
        lines.append("}")
    return "\n".join(lines)


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def hash_of(token):
    """What the next token's par_hash must be, in hexadecimal digits."""
    return hashlib.sha256(token.rpartition(".")[0].encode("ascii")).hexdigest()


def type_named(prefix):
    """The type of a scope's first part; type names have three characters at least, and `user` is the principals'."""
    return f"{prefix}_api"


def clause_of(scope, caveat):
    fields = {"all_of_type": core.AllOfType()}
    if WILDCARD.fullmatch(scope):
        resource_type = type_named(scope[:-2])
        permissions = TYPES.get(resource_type, [])
    elif not LITERAL.fullmatch(scope) and OPAQUE.fullmatch(scope):
        resource_type, permissions = "opaque", ["use"]
        fields = {"objects": core.ObjectIds(ids=[object_id(scope)])}
    else:
        prefix, _, name = scope.partition(".")
        resource_type, permissions = type_named(prefix), [name]
    return core.ScopeClause(
        resource_type=resource_type, permissions=permissions, optional_caveat=caveat, **fields
    )


def caveat_of(constraints):
    if not constraints:
        return None
    bounds = sorted(json.dumps(constraint, sort_keys=True) for constraint in constraints)
    context = struct_pb2.Struct()
    context.update({"bounds": "\n".join(bounds)})
    return ContextualizedCaveat(caveat_name="bounded", context=context)


class Chains:
    """Chains on their way into one database."""

    def __init__(self):
        self.database = Database(schema())
        holders = [(thing(name, "all"), "holder") for name in TYPES if name != "opaque"]
        holders += [(thing("opaque", name), "holder") for name in ("User.Read", "repo:status", "drive.Read")]
        principals = [thing("user", name) for name in PRINCIPALS]
        self.database.write([(*holder, principal) for holder in holders for principal in principals])

    def close(self):
        self.database.close()

    def enter(self, vector, with_constraints):
        """Makes the chain's delegations and asks what its last hop may do; `Refused` where Pemba says no.

        Returns, for each permission of the schema, whether the last token's scope names it and whether it is allowed.
        """
        is_02 = vector.get("draft") == "02"
        hops, known = [], {}
        for token in vector["tokens"]:
            claims = json.loads(decoded(token.split(".")[1]))
            request = self.request_of(claims, is_02, hops, known, with_constraints)
            made = self.database.ask(self.database.delegations.Delegate, request).delegation
            known[hash_of(token)] = made
            hops.append(request)
        leaf = core.Chain(delegation_id=made.id)
        return self.outcomes(leaf, hops[-1].scope)

    def request_of(self, claims, is_02, hops, known, with_constraints):
        details = claims["authorization_details"]
        if len(details) != 1 or details[0]["type"] != "agent_delegation":
            raise Untranslatable("a hop has one scope, and of one kind")
        agent = claims.get("client_id", "") if is_02 else claims["sub"]
        root = claims["sub"] if is_02 else PRINCIPALS[0]
        if agent:
            self.database.register(agent)
        parent, before = "", None
        if hops:
            hashed = decoded(claims["par_hash"]).hex()
            before = known.get(hashed)
            parent = before.id if before else "dlg_" + hashed[:32].ljust(32, "0")
        caveat = caveat_of(details[0]["constraints"]) if with_constraints else None
        fields = {"from": hops[-1].to.object if hops else thing("user", root)}
        return delegation.DelegateRequest(
            parent_id=parent,
            root=thing("user", root),
            to=subject(thing("agent", agent)),
            scope=core.Scope(clauses=[clause_of(scope, caveat) for scope in details[0]["scopes"]]),
            not_after=self.end(claims["exp"]),
            depth_left=depth_left(claims, len(hops), before),
            **fields,
        )

    def end(self, exp):
        if not math.isfinite(exp):
            raise Untranslatable(f"{exp} is no instant")
        return instant(self.database.now + round(exp * NANOS))

    def outcomes(self, chain, scope):
        """What the chain may do of each type and permission, on one object: (in scope, outcome) each."""
        within = {
            (clause.resource_type, permission) for clause in scope.clauses for permission in clause.permissions
        }
        found = []
        for name, permissions in TYPES.items():
            ids = [one for clause in scope.clauses if clause.resource_type == name for one in clause.objects.ids]
            for permission in permissions:
                request = authority.CheckAsRequest(
                    consistency=NOW,
                    chain=chain,
                    resource=ObjectReference(object_type=name, object_id=ids[0] if ids else "all"),
                    permission=permission,
                )
                outcome = self.database.ask(self.database.authority.CheckAs, request).decision.outcome
                found.append(((name, permission) in within, outcome == authority.OUTCOME_ALLOW))
        return found


def depth_left(claims, place, before):
    """How many tokens may follow: as the token says itself, or one less than the one before."""
    if "del_max_depth" in claims:
        return max(0, claims["del_max_depth"] - 1 - place)
    return max(0, before.depth_left - 1) if before else 0
