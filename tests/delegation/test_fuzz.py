"""DelegationBench's fuzzer against Pemba: no mutant may get an unauthorized action through.

Each mutant also runs against the benchmark's reference defense, and what was delegated, done and blocked must be the
same: a defense that blocks everything has no bypass either. `PEMBA_FUZZ_MUTANTS` says how many mutants to make, over
all scenarios; `PEMBA_FUZZ_SEED` which; `PEMBA_FUZZ_JOBS` in how many processes.
"""

import collections
import concurrent.futures
import multiprocessing
import os
import tempfile
import time
import unittest

import guard
import yaml
from delegationbench import fuzzer
from delegationbench.corpus import corpus_path
from delegationbench.defense import EnvelopeGuard
from delegationbench.oracle import evaluate
from delegationbench.runner import run_scenario

MUTANTS = int(os.environ.get("PEMBA_FUZZ_MUTANTS", "3000"))
SEED = int(os.environ.get("PEMBA_FUZZ_SEED", "1"))
JOBS = int(os.environ.get("PEMBA_FUZZ_JOBS", "2"))


def deeds(trace):
    """What was delegated, done and blocked, in its order and without the words."""
    return [
        (event.kind, event.task_id, event.agent, event.detail.get("action"), tuple(event.detail.get("scope") or ()))
        for event in trace.events
    ]


class Judge:
    """Stands in for the fuzzer's own judge: a mutant runs against Pemba, and against the reference."""

    def __init__(self, database):
        self.database = database
        self.reasons = collections.Counter()
        self.differences = []
        self.faults = []

    def __call__(self, scenario, defense_name):
        if defense_name == "none":
            return self.judged(scenario, None)
        defense = guard.PembaGuard(self.database, scenario)
        reference, answer = None, None
        try:
            reference = self.judged(scenario, EnvelopeGuard())
        except Exception as error:  # the fuzzer counts mutants that break its engine, by any exception
            reference = error
        try:
            answer = self.judged(scenario, defense)
        except Exception as error:
            answer = error
        self.reasons += defense.blocked
        self.compare(scenario, answer, reference)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def judged(self, scenario, defense):
        result = run_scenario(scenario, defense=defense)
        grant = scenario.grant
        # The fuzzer's own judge names no principal either: it is the one of the root delegation.
        rules = {
            "allowed_actions": grant.allowed_actions,
            "max_delegation_depth": grant.max_delegation_depth,
        }
        return evaluate(result.trace, rules), result.trace

    def compare(self, scenario, answer, reference):
        if isinstance(answer, Exception):
            if type(answer) is not type(reference):
                self.faults.append(f"{scenario.id}: {type(answer).__name__}: {answer}")
            return
        if isinstance(reference, Exception):
            self.differences.append(f"{scenario.id}: only the reference's run breaks: {reference!r}")
            return
        ours, theirs = deeds(answer[1]), deeds(reference[1])
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
            event = answer[1].events[at] if at < len(ours) else None
            why = event.detail.get("reason") if event else None
            other = reference[1].events[at].detail.get("reason") if at < len(theirs) else None
            self.differences.append(
                f"{scenario.id}: {ours[at:at + 1]} ({why}) but by the reference {theirs[at:at + 1]} ({other})"
            )


def campaign(path, budget, seed):
    """One scenario's campaign: the fuzzer's report, Pemba's reasons, differences and faults."""
    database = guard.database()
    judge = Judge(database)
    fuzzer.judge_with_trace = judge
    # The fuzzer compares mutants by their YAML text, which takes most of its time in pure Python.
    yaml.SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    with tempfile.TemporaryDirectory() as folder:
        report = fuzzer.run_campaign(path, budget=budget, seed=seed, defense="pemba", out=folder, minimize=False)
    database.close()
    return report, judge.reasons, judge.differences, judge.faults


class FuzzTest(unittest.TestCase):
    def test_no_mutant_gets_through(self):
        paths = sorted(corpus_path().glob("*/*.yaml"))
        budget = -(-MUTANTS // len(paths))
        began = time.monotonic()
        totals, reasons, differences, faults, bypasses = collections.Counter(), collections.Counter(), [], [], []
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(JOBS, mp_context=context) as pool:
            started = [pool.submit(campaign, path, budget, SEED) for path in paths]
            for one in concurrent.futures.as_completed(started):
                report, theirs, differ, broke = one.result()
                for key in ("mutants_run", "valid", "invalid", "duplicates", "errors"):
                    totals[key] += report[key]
                totals.update(report["counts"])
                bypasses += [finding for finding in report["findings"] if finding["class"] == "bypass"]
                reasons += theirs
                differences += differ
                faults += broke
        seconds = time.monotonic() - began
        print(f"\nfuzzer: {dict(totals)} in {seconds:.1f} s; blocked by {dict(sorted(reasons.items()))}")
        self.assertEqual(faults, [], "the server or the translation broke")
        self.assertEqual(bypasses, [])
        self.assertEqual(totals["bypass"], 0)
        self.assertEqual(differences, [], "Pemba and the reference defense decided otherwise")
        self.assertGreaterEqual(totals["mutants_run"], MUTANTS)
        # Of what the fuzzer makes, a good part repeats itself or is no scenario; most of the rest must have run.
        self.assertGreater(totals["valid"], totals["mutants_run"] // 3)
        # A mutant is called dead when nothing but the first readings came through, as an attack that is stopped is.
        self.assertGreater(totals["neutral"], totals["valid"] // 10)


if __name__ == "__main__":
    unittest.main()
