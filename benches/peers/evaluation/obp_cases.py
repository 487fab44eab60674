"""Writes what obp's estimators say of its Open Bandit sample and of synthetic rounds and slates, for the tests of
`crates/evaluation/src/off_policy`: open_bandit.bin (the log), obp_cases.json (the rest)."""

import argparse
import json
import pathlib
import warnings

import obp_import  # noqa: F401
import numpy as np
from obp.dataset import OpenBanditDataset
from obp.ope import (
    BalancedInverseProbabilityWeighting,
    DirectMethod,
    DoublyRobust,
    DoublyRobustTuning,
    DoublyRobustWithShrinkage,
    DoublyRobustWithShrinkageTuning,
    InverseProbabilityWeighting,
    InverseProbabilityWeightingTuning,
    MarginalizedInverseProbabilityWeighting,
    MultiLoggersBalancedDoublyRobust,
    MultiLoggersBalancedInverseProbabilityWeighting,
    MultiLoggersNaiveDoublyRobust,
    MultiLoggersNaiveInverseProbabilityWeighting,
    MultiLoggersWeightedDoublyRobust,
    MultiLoggersWeightedInverseProbabilityWeighting,
    RegressionModel,
    ReplayMethod,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
    SelfNormalizedSlateIndependentIPS,
    SelfNormalizedSlateRewardInteractionIPS,
    SelfNormalizedSlateStandardIPS,
    SlateCascadeDoublyRobust,
    SlateIndependentIPS,
    SlateRewardInteractionIPS,
    SlateStandardIPS,
    SubGaussianDoublyRobust,
    SubGaussianDoublyRobustTuning,
    SubGaussianInverseProbabilityWeighting,
    SubGaussianInverseProbabilityWeightingTuning,
    SwitchDoublyRobust,
    SwitchDoublyRobustTuning,
)
from obp.ope.helper import estimate_bernstein_lower_bound, estimate_hoeffding_lower_bound, estimate_student_t_lower_bound
from obp.policy import BernoulliTS
from sklearn.linear_model import LogisticRegression, Ridge

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parents[2] / "crates/evaluation/src/off_policy/tests"

# One estimator at several λ.
FAMILIES = {
    "ipw": (InverseProbabilityWeighting, InverseProbabilityWeightingTuning, [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]),
    "dr": (DoublyRobust, DoublyRobustTuning, [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]),
    "switch-dr": (SwitchDoublyRobust, SwitchDoublyRobustTuning, [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]),
    "dr-os": (DoublyRobustWithShrinkage, DoublyRobustWithShrinkageTuning, [0.1, 1.0, 5.0, 20.0, 100.0, 1000.0, 10000.0]),
    "sg-ipw": (SubGaussianInverseProbabilityWeighting, SubGaussianInverseProbabilityWeightingTuning, [0.001, 0.01, 0.05, 0.1, 0.3, 0.8]),
    "sg-dr": (SubGaussianDoublyRobust, SubGaussianDoublyRobustTuning, [0.001, 0.01, 0.05, 0.1, 0.3, 0.8]),
}


def estimates(rounds, has_matches=False):
    """Every estimator's value; `rounds` has reward, action, position, pscore, action_dist, estimated_rewards_by_reg_model."""
    found = {
        "ipw": InverseProbabilityWeighting(),
        "snipw": SelfNormalizedInverseProbabilityWeighting(),
        "dm": DirectMethod(),
        "dr": DoublyRobust(),
        "sndr": SelfNormalizedDoublyRobust(),
    }
    if has_matches:
        found["replay"] = ReplayMethod()
    if "estimated_importance_weights" in rounds:
        found["b-ipw"] = BalancedInverseProbabilityWeighting()
        found["b-ipw 1.5"] = BalancedInverseProbabilityWeighting(lambda_=1.5)
    values = {name: float(estimator.estimate_policy_value(**rounds)) for name, estimator in found.items()}
    for family, (estimator, _, lambdas) in FAMILIES.items():
        for lambda_ in lambdas:
            values[f"{family} {lambda_}"] = float(estimator(lambda_=lambda_).estimate_policy_value(**rounds))
    return values


def tuned(rounds):
    """λ and value chosen by each criterion."""
    settings = {
        "slope": dict(tuning_method="slope"),
        "mse": dict(tuning_method="mse", use_bias_upper_bound=False),
        "mse_bound": dict(tuning_method="mse", use_bias_upper_bound=True),
    }
    chosen = {}
    for family, (_, tuning, lambdas) in FAMILIES.items():
        for name, setting in settings.items():
            estimator = tuning(lambdas=list(lambdas), delta=0.1, **setting)
            value = float(estimator.estimate_policy_value(**rounds))
            scores = None
            if name != "slope":
                scores = [float(estimator.estimated_mse_score_dict[lambda_]) for lambda_ in lambdas]
            chosen[f"{family} {name}"] = {"lambda": float(estimator.best_hyperparam), "value": value, "scores": scores}
    return chosen


def bounds(rounds):
    """Standard error and one-sided bounds of IPW's round-wise estimates at δ = 0.025."""
    x = InverseProbabilityWeighting()._estimate_round_rewards(**rounds)
    return {
        "max": float(x.max()),
        "student": float(estimate_student_t_lower_bound(x, delta=0.025)),
        "hoeffding": float(estimate_hoeffding_lower_bound(x, delta=0.025)),
        "bernstein": float(estimate_bernstein_lower_bound(x, None, delta=0.025)),
    }


def open_bandit():
    """Random log → Bernoulli Thompson sampling."""
    cases, log = [], bytearray()
    for campaign in ["all", "men", "women"]:
        data = OpenBanditDataset(behavior_policy="random", campaign=campaign).obtain_batch_bandit_feedback()
        n, actions, positions = data["n_rounds"], data["n_actions"], 3
        policy = BernoulliTS(n_actions=actions, len_list=positions, is_zozotown_prior=True, campaign=campaign, random_state=12345)
        of_all = policy.compute_batch_action_dist(n_rounds=1, n_sim=100_000)[0]
        # q̂ of action and position alone: shrunken click rates, so that it is small.
        expected = np.zeros((actions, positions))
        for position in range(positions):
            at = data["position"] == position
            for action in range(actions):
                of = at & (data["action"] == action)
                expected[action, position] = (data["reward"][of].sum() + 0.5 * data["reward"].mean() * 100) / (of.sum() + 50)
        expected = np.round(expected, 9)
        # The file says 0.029411764705882353, pandas reads 0.0294117647058823.
        assert np.allclose(data["pscore"], 1 / actions, rtol=1e-14, atol=0)
        codes = (data["action"] * positions + data["position"]) * 2 + data["reward"]
        log += codes.astype("<u2").tobytes()
        rounds = dict(
            reward=data["reward"],
            action=data["action"],
            position=data["position"],
            pscore=data["pscore"],
            action_dist=np.tile(of_all, (n, 1, 1)),
            estimated_rewards_by_reg_model=np.tile(expected, (n, 1, 1)),
        )
        # The likeliest action at each position, for certain: the replay method needs matches.
        certain = np.zeros((actions, positions))
        certain[of_all.argmax(axis=0), np.arange(positions)] = 1.0
        sure = rounds | dict(action_dist=np.tile(certain, (n, 1, 1)))
        cases.append(
            dict(
                campaign=campaign,
                rounds=n,
                actions=actions,
                positions=positions,
                target=of_all.flatten().tolist(),
                expected=expected.flatten().tolist(),
                estimates=estimates(rounds),
                tuned=tuned(rounds),
                bounds=bounds(rounds),
                certain=certain.argmax(axis=0).tolist(),
                certain_estimates=estimates(sure, has_matches=True),
            )
        )
    return cases, bytes(log)


def hashed(*numbers):
    """A number in [0, 1) that the tests find again from the same integers: SplitMix64's finaliser."""
    z = 0
    mask = (1 << 64) - 1
    for number in numbers:
        z = (z ^ number) + 0x9E3779B97F4A7C15 & mask
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        z ^= z >> 31
    return (z >> 11) / (1 << 53)


def synthetic(seed, n, actions, positions):
    """Rounds whose policies and q̂ differ from round to round, all from `hashed`."""
    u = lambda *key: hashed(seed, *key)  # noqa: E731
    logging, target, expected = (np.zeros((n, actions, positions)) for _ in range(3))
    for i in range(n):
        for a in range(actions):
            for k in range(positions):
                logging[i, a, k] = 0.1 + u(1, i, a, k)
                target[i, a, k] = u(2, i, a, k) ** 3
                expected[i, a, k] = u(3, i, a, k)
    logging /= logging.sum(axis=1, keepdims=True)
    target /= target.sum(axis=1, keepdims=True)
    action, position, reward = np.zeros(n, int), np.zeros(n, int), np.zeros(n)
    for i in range(n):
        position[i] = int(u(4, i) * positions)
        action[i] = int((np.cumsum(logging[i, :, position[i]]) > u(5, i)).argmax())
        reward[i] = 3.0 * expected[i, action[i], position[i]] * u(6, i) - 0.5
    pscore = logging[np.arange(n), action, position]
    weights = np.array([0.2 + 2.0 * u(7, i) for i in range(n)])
    return dict(
        reward=reward,
        action=action,
        position=position,
        pscore=pscore,
        action_dist=target,
        estimated_rewards_by_reg_model=expected,
        estimated_importance_weights=weights,
        pi_b=logging,
    )


def synthetic_cases():
    cases = []
    for seed, n, actions, positions in [(1, 300, 5, 3), (2, 500, 12, 1), (3, 200, 2, 2), (4, 400, 8, 1)]:
        rounds = synthetic(seed, n, actions, positions)
        without = {name: value for name, value in rounds.items() if name != "estimated_importance_weights"}
        cases.append(
            dict(seed=seed, rounds=n, actions=actions, positions=positions, estimates=estimates(rounds), tuned=tuned(without), bounds=bounds(without))
        )
    return cases


def categories():
    """Marginalised IPW with the category of an action, a % 3, for its embedding."""
    cases = []
    for seed, n, actions, positions in [(41, 400, 9, 2), (42, 300, 12, 1)]:
        rounds = synthetic(seed, n, actions, positions)
        category = np.arange(actions) % 3
        value = MarginalizedInverseProbabilityWeighting(n_actions=actions).estimate_policy_value(
            reward=rounds["reward"],
            action=rounds["action"],
            action_embed=category[rounds["action"]][:, None],
            pi_b=rounds["pi_b"],
            action_dist=rounds["action_dist"],
            position=rounds["position"],
            p_e_a=np.eye(3)[category][:, :, None],
        )
        cases.append(dict(seed=seed, rounds=n, actions=actions, positions=positions, mipw=float(value)))
    return cases


def loggers():
    """The synthetic rounds as if three policies had logged them."""
    cases = []
    for seed, n, actions, positions in [(31, 400, 5, 2), (32, 300, 8, 1)]:
        rounds = synthetic(seed, n, actions, positions)
        rounds.pop("estimated_importance_weights")
        rounds["stratum_idx"] = np.array([int(3 * hashed(seed, 10, i)) for i in range(n)])
        rounds["pscore_avg"] = 0.5 * rounds["pscore"] + 0.5 / actions
        found = {
            "naive ipw": MultiLoggersNaiveInverseProbabilityWeighting(),
            "naive dr": MultiLoggersNaiveDoublyRobust(),
            "balanced ipw": MultiLoggersBalancedInverseProbabilityWeighting(),
            "balanced dr": MultiLoggersBalancedDoublyRobust(),
            "weighted ipw": MultiLoggersWeightedInverseProbabilityWeighting(),
            "weighted ipw 2": MultiLoggersWeightedInverseProbabilityWeighting(lambda_=2.0),
            "weighted dr": MultiLoggersWeightedDoublyRobust(),
            "weighted dr 2": MultiLoggersWeightedDoublyRobust(lambda_=2.0),
        }
        values = {name: float(estimator.estimate_policy_value(**rounds)) for name, estimator in found.items()}
        cases.append(dict(seed=seed, rounds=n, actions=actions, positions=positions, estimates=values))
    return cases


def models():
    """q̂ of obp's RegressionModel on all rounds (no folds), by each way of weighting; the first two rounds and the sum of all."""
    cases = []
    for seed, n, actions, positions, width in [(11, 400, 4, 2, 3), (12, 600, 6, 1, 2)]:
        rounds = synthetic(seed, n, actions, positions)
        context = np.array([[2.0 * hashed(seed, 8, i, j) - 1.0 for j in range(width)] for i in range(n)])
        clicks = np.array([int(hashed(seed, 9, i) < 0.2 + 0.3 * (rounds["reward"][i] > 0.5) + 0.2 * context[i, 0]) for i in range(n)])
        for name, model, reward in [
            ("ridge", Ridge(alpha=1.5, solver="cholesky"), rounds["reward"]),
            ("logistic", LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12, max_iter=1000), clicks),
        ]:
            for weighting in ["normal", "iw", "mrdr"]:
                regression = RegressionModel(base_model=model, n_actions=actions, len_list=positions, fitting_method=weighting)
                q = regression.fit_predict(
                    context=context,
                    action=rounds["action"],
                    reward=reward,
                    pscore=rounds["pscore"],
                    position=rounds["position"],
                    action_dist=rounds["action_dist"],
                )
                value = DoublyRobust().estimate_policy_value(
                    **(rounds | dict(reward=reward, estimated_rewards_by_reg_model=q))
                )
                cases.append(
                    dict(
                        seed=seed, rounds=n, actions=actions, positions=positions, width=width, model=name, weighting=weighting,
                        first=q[:2].flatten().tolist(), sum=float(q.sum()), dr=float(value),
                    )
                )
    return cases


def slates():
    """Slates of `length` positions without repeats being excluded: policies factorise given the items above."""
    cases = []
    for seed, n, length, actions in [(21, 200, 3, 4), (22, 300, 2, 6), (23, 150, 4, 3)]:
        u = lambda *key: hashed(seed, *key)  # noqa: E731,B023
        action, reward = np.zeros((n, length), int), np.zeros((n, length))
        logging, target = np.zeros((n, length, actions)), np.zeros((n, length, actions))
        q = np.zeros((n, length, actions))
        for i in range(n):
            above = 0
            for k in range(length):
                for a in range(actions):
                    logging[i, k, a] = 0.3 + u(1, i, k, a, above)
                    target[i, k, a] = 0.1 + u(2, i, k, a, above) ** 2
                    q[i, k, a] = u(3, i, k, a)
                logging[i, k] /= logging[i, k].sum()
                target[i, k] /= target[i, k].sum()
                action[i, k] = int((np.cumsum(logging[i, k]) > u(4, i, k)).argmax())
                above = above * actions + int(action[i, k]) + 1
                reward[i, k] = u(5, i, k) * (1 + action[i, k])
        rows, places = np.arange(n)[:, None], np.arange(length)[None, :]
        of_item, of_item_e = logging[rows, places, action], target[rows, places, action]
        cascade, cascade_e = of_item.cumprod(axis=1), of_item_e.cumprod(axis=1)
        whole = np.repeat(cascade[:, -1:], length, axis=1)
        whole_e = np.repeat(cascade_e[:, -1:], length, axis=1)
        common = dict(
            slate_id=np.repeat(np.arange(n), length),
            action=action.flatten(),
            reward=reward.flatten(),
            position=np.tile(np.arange(length), n),
            pscore=whole.flatten(),
            evaluation_policy_pscore=whole_e.flatten(),
            pscore_item_position=of_item.flatten(),
            evaluation_policy_pscore_item_position=of_item_e.flatten(),
            pscore_cascade=cascade.flatten(),
            evaluation_policy_pscore_cascade=cascade_e.flatten(),
            q_hat=q.flatten(),
            evaluation_policy_action_dist=target.flatten(),
        )
        estimators = {
            "sips": SlateStandardIPS(len_list=length),
            "iips": SlateIndependentIPS(len_list=length),
            "rips": SlateRewardInteractionIPS(len_list=length),
            "snsips": SelfNormalizedSlateStandardIPS(len_list=length),
            "sniips": SelfNormalizedSlateIndependentIPS(len_list=length),
            "snrips": SelfNormalizedSlateRewardInteractionIPS(len_list=length),
            "cascade-dr": SlateCascadeDoublyRobust(len_list=length, n_unique_action=actions),
        }
        values = {name: float(estimator.estimate_policy_value(**common)) for name, estimator in estimators.items()}
        cases.append(dict(seed=seed, slates=n, length=length, actions=actions, estimates=values))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=TESTS)
    out = parser.parse_args().out
    cases, log = open_bandit()
    (out / "open_bandit.bin").write_bytes(log)
    everything = dict(open_bandit=cases, synthetic=synthetic_cases(), models=models(), loggers=loggers(), categories=categories(), slates=slates())
    (out / "obp_cases.json").write_text(json.dumps(everything, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
