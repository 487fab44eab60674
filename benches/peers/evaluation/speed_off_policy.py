"""Times obp's nine estimators with 1,000 bootstrap draws on the numbers of `off_policy_speed.rs`.

obp holds rounds × actions in memory several times over: 1 M rounds × 80 actions take some 4 GB."""

import argparse
import json
import resource
import time

import obp_import  # noqa: F401
import numpy as np
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    DoublyRobustWithShrinkage,
    InverseProbabilityWeighting,
    OffPolicyEvaluation,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
    SubGaussianDoublyRobust,
    SubGaussianInverseProbabilityWeighting,
    SwitchDoublyRobust,
)

ACTIONS = 80


def uniform(stream, place):
    """SplitMix64's finaliser on many places at once."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream << 48) ^ place.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(float) / (1 << 53)


def rounds_of(n):
    habit = 0.5 + uniform(1, np.arange(ACTIONS))
    target, expected = np.empty((n, ACTIONS)), np.empty((n, ACTIONS))
    for start in range(0, n, 100_000):
        rows = slice(start, min(start + 100_000, n))
        entries = np.arange(rows.start * ACTIONS, rows.stop * ACTIONS)
        target[rows] = (0.05 + uniform(2, entries) ** 2).reshape(-1, ACTIONS)
        expected[rows] = (0.05 + 0.1 * uniform(3, entries)).reshape(-1, ACTIONS)
    target /= target.sum(axis=1, keepdims=True)
    i = np.arange(n)
    action = np.searchsorted(np.cumsum(habit), uniform(4, i) * habit.sum(), side="right").clip(max=ACTIONS - 1)
    chance = 0.5 * uniform(3, i * ACTIONS + action) * 0.2 + 0.05
    reward = (uniform(5, i) < chance).astype(float)
    feedback = dict(
        n_rounds=n,
        n_actions=ACTIONS,
        action=action,
        reward=reward,
        position=np.zeros(n, int),
        context=np.zeros((n, 1)),
        pscore=(habit / habit.sum())[action],
    )
    return feedback, target[:, :, None], expected[:, :, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=1_000)
    args = parser.parse_args()
    feedback, target, expected = rounds_of(args.rounds)
    evaluation = OffPolicyEvaluation(
        bandit_feedback=feedback,
        ope_estimators=[
            InverseProbabilityWeighting(),
            SelfNormalizedInverseProbabilityWeighting(),
            DirectMethod(),
            DoublyRobust(),
            SelfNormalizedDoublyRobust(),
            SwitchDoublyRobust(lambda_=2.0),
            DoublyRobustWithShrinkage(lambda_=10.0),
            SubGaussianInverseProbabilityWeighting(lambda_=0.1),
            SubGaussianDoublyRobust(lambda_=0.1),
        ],
    )
    start = time.perf_counter()
    values = evaluation.estimate_policy_values(action_dist=target, estimated_rewards_by_reg_model=expected)
    plain = time.perf_counter() - start
    start = time.perf_counter()
    intervals = evaluation.estimate_intervals(
        action_dist=target, estimated_rewards_by_reg_model=expected, n_bootstrap_samples=args.draws, random_state=1
    )
    drawn = time.perf_counter() - start
    for name, value in values.items():
        low, high = intervals[name]["95.0% CI (lower)"], intervals[name]["95.0% CI (upper)"]
        print(f"{name:16} {value:.12f} bootstrap [{low:.6f}, {high:.6f}]")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(dict(rounds=args.rounds, draws=args.draws, values_s=round(plain, 3), intervals_s=round(drawn, 3), peak_mb=round(peak))))


if __name__ == "__main__":
    main()
