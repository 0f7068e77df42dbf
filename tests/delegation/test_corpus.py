"""DelegationBench's scenarios with Pemba as the defense: every attack contained, every benign task done."""

import collections
import unittest

import guard
from delegationbench.corpus import corpus_path
from delegationbench.oracle import evaluate
from delegationbench.report import build_report
from delegationbench.runner import run_scenario
from delegationbench.scenario import load_scenario


def verdict_of(scenario, result):
    grant = scenario.grant
    return evaluate(
        result.trace,
        {
            "allowed_actions": grant.allowed_actions,
            "max_delegation_depth": grant.max_delegation_depth,
            "principal": scenario.principal,
        },
    )


def report_of(scenario, defense=None, baseline=None):
    result = run_scenario(scenario, defense=defense)
    name = "none" if defense is None else "pemba"
    return build_report(result, verdict_of(scenario, result), defense=name, baseline_expect_match=baseline)


class CorpusTest(unittest.TestCase):
    """The number of scenarios is that of the pinned release: a smaller corpus would be a smaller claim."""

    @classmethod
    def setUpClass(cls):
        cls.database = guard.database()
        cls.addClassCleanup(cls.database.close)

    def run_all(self, folder, outcome, count):
        paths = sorted((corpus_path() / folder).glob("*.yaml"))
        self.assertEqual(len(paths), count)
        reasons = collections.Counter()
        for path in paths:
            with self.subTest(path.stem):
                scenario = load_scenario(path)
                baseline = report_of(scenario)
                self.assertTrue(baseline["expect_match"], "without a defense it is what it says")
                defense = guard.PembaGuard(self.database, scenario)
                report = report_of(scenario, defense, baseline["expect_match"])
                self.assertEqual(report["defense_outcome"], outcome, report["blocked"] or report["reasons"])
                self.assertTrue(report["expect_match"])
                self.assertEqual(report["unauthorized_executed"], 0)
                self.assertTrue(defense.allowed, "something was allowed before the end")
                self.assertEqual(defense.allowed_after_revoking(), [])
                reasons += defense.blocked
        print(f"\n{folder}: {count} scenarios; blocked by {dict(sorted(reasons.items()))}")

    def test_every_attack_is_contained(self):
        self.run_all("attacks", "contained", 38)

    def test_every_benign_task_is_done(self):
        self.run_all("benign", "clean", 37)


if __name__ == "__main__":
    unittest.main()
