"""attenu-guard's chain vectors, both revisions: what it accepts and rejects, Pemba must make and refuse.

Where it does not, the vector is on the list below with the reason, and the list is exact.
"""

import json
import unittest

import chains
from attenu_guard import vectors
from database import Refused

TOKEN = "about the token's form, signature, audience or key; a delegation is a record and has none"
CONDITION = "about a condition: only with constraints"
# Vectors on which Pemba differs when the constraints are left out.
DIFFERENCES = {
    "01/reject_bad_signature": TOKEN,
    "01/reject_duplicate_member": TOKEN,
    "01/reject_exceeded_ceiling": CONDITION,
    "02/reject_alg_not_accepted": TOKEN,
    "02/reject_aud_empty_array": TOKEN,
    "02/reject_aud_null": TOKEN,
    "02/reject_audience_mismatch": TOKEN,
    "02/reject_cnf_without_confirmation": TOKEN,
    "02/reject_constraint_extra_member": CONDITION,
    "02/reject_cross_type_lifetime_for_max": CONDITION,
    "02/reject_detail_extra_member": TOKEN,
    "02/reject_duplicate_key_type": CONDITION,
    "02/reject_max_lifetime_widened": CONDITION,
    "02/reject_max_subtree_widened": CONDITION,
    "02/reject_missing_cnf": TOKEN,
    "02/reject_rank_order_mismatch": CONDITION,
    "02/reject_rank_outside_order": CONDITION,
    "02/reject_rank_without_order": CONDITION,
}
# With the constraints as caveats Pemba accepts a condition under a condition only when both are the same, so it refuses
# what these narrow.
STRICTER = {
    "01/valid_chain",
    "02/valid_audience_array",
    "02/valid_chain",
    "02/valid_range_min_max",
    "02/valid_unknown_constraint_identical",
}
# The reason each vector must be refused for, where it is about what Pemba decides.
REASONS = {
    "01/reject_depth_exceeded": "DEPTH_EXCEEDED",
    "01/reject_nonmonotonic_exp": "OUTLIVES_PARENT",
    "01/reject_spliced_parent": "DELEGATION_NOT_FOUND",
    "01/reject_widened_scope": "SCOPE_WIDER",
    "01/reject_wildcard_boundary": "SCOPE_WIDER",
    "01/reject_wildcard_widening": "SCOPE_WIDER",
    "02/reject_altered_sub_and_par_hash": "DELEGATION_NOT_FOUND",
    "02/reject_child_exp_exceeds_parent": "OUTLIVES_PARENT",
    "02/reject_child_raises_del_max_depth": "DEPTH_EXCEEDED",
    "02/reject_opaque_case_folded": "SCOPE_WIDER",
    "02/reject_opaque_over_wildcard": "SCOPE_WIDER",
    "02/reject_principal_altered": "ROOT_MISMATCH",
    "02/reject_reissued_parent": "DELEGATION_NOT_FOUND",
    "02/reject_wildcard_over_opaque": "SCOPE_WIDER",
}


def all_vectors():
    found = {"01/" + name.removesuffix(".json"): vector for name, vector in vectors.load_vectors().items()}
    found |= {"02/" + name.removesuffix(".json"): vector for name, vector in vectors.load_vectors_02().items()}
    return found


class ChainsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.chains = chains.Chains()
        cls.addClassCleanup(cls.chains.close)
        cls.vectors = all_vectors()

    def answer(self, vector, with_constraints):
        """None where the chain is made, else why not."""
        try:
            self.outcomes = self.chains.enter(vector, with_constraints)
            return None
        except Refused as refused:
            return refused.reason
        except chains.Untranslatable as impossible:
            return f"untranslatable: {impossible}"

    def test_the_vectors_are_those_of_the_pinned_release(self):
        self.assertEqual(len(self.vectors), 55)

    def test_without_constraints(self):
        differ, reasons = set(), {}
        for name, vector in self.vectors.items():
            answer = self.answer(vector, with_constraints=False)
            if answer is None:
                # The last agent may do what the last token says, and nothing else.
                self.assertEqual([(within, within) for within, _ in self.outcomes], self.outcomes, name)
            if (answer is None) != (vector.get("expect") == "accept"):
                differ.add(name)
            reasons[name] = answer
        print("\nrefused:", {name: reason for name, reason in reasons.items() if reason})
        self.assertEqual(differ, set(DIFFERENCES))
        self.assertEqual({name: reasons[name] for name in REASONS}, REASONS)

    def test_with_constraints_as_caveats(self):
        differ = set()
        for name, vector in self.vectors.items():
            answer = self.answer(vector, with_constraints=True)
            if (answer is None) != (vector.get("expect") == "accept"):
                differ.add(name)
        # A token's fault is not looked at, but where its chain narrows a constraint it is refused for that already.
        unseen = {name for name, why in DIFFERENCES.items() if why == TOKEN and not self.narrows(name)}
        self.assertEqual(differ, unseen | STRICTER)

    def narrows(self, name):
        """Whether two hops of a vector have different constraints."""
        found = [
            json.loads(chains.decoded(token.split(".")[1]))["authorization_details"][0]["constraints"]
            for token in self.vectors[name]["tokens"]
        ]
        return any(before != after for before, after in zip(found, found[1:]))


if __name__ == "__main__":
    unittest.main()
