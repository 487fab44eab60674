"""Writes fixed inputs and what peers say of them: fairlearn's demographic parity, statsmodels' Welch test, homogeneity of effects and Holm,
scipy's Welch intervals; and scikit-learn's ridge for the surrogate index.

    fairness/bin/python fairness_cases.py
"""

import json
from pathlib import Path

import numpy as np
from fairlearn.metrics import demographic_parity_difference, demographic_parity_ratio
from scipy import stats
from sklearn.linear_model import Ridge
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.oneway import anova_oneway

SOURCE = Path(__file__).resolve().parents[3] / "crates/evaluation/src"


def groups_case(seed):
    rng = np.random.default_rng(seed)
    groups = []
    for _ in range(int(rng.integers(2, 7))):
        treated, held = (int(size) for size in rng.integers(30, 60, size=2))
        groups.append({
            "offered": rng.binomial(1, rng.uniform(0.2, 0.9), treated).tolist(),
            "discount": rng.integers(0, int(rng.integers(200, 900)), treated).tolist(),
            "benefit": np.round(rng.normal(rng.uniform(0, 3), rng.uniform(1, 4), treated), 1).tolist(),
            "held_out": np.round(rng.normal(1, rng.uniform(1, 4), held), 1).tolist(),
        })
    offered = np.concatenate([group["offered"] for group in groups])
    member = np.concatenate([[place] * len(group["offered"]) for place, group in enumerate(groups)])
    parity = {"y_true": offered, "y_pred": offered, "sensitive_features": member}
    tests = [stats.ttest_ind(group["benefit"], group["held_out"], equal_var=False) for group in groups]
    arms = [[np.asarray(group[arm]) for arm in ("benefit", "held_out")] for group in groups]
    effects = [float(one.mean() - two.mean()) for one, two in arms]
    variances = [float(one.var(ddof=1) / len(one) + two.var(ddof=1) / len(two)) for one, two in arms]
    homogeneity = combine_effects(np.array(effects), np.array(variances), method_re="chi2").test_homogeneity()
    p_values = [test.pvalue for test in tests]
    return {
        "groups": groups,
        "difference": float(demographic_parity_difference(**parity)),
        "ratio": float(demographic_parity_ratio(**parity)),
        "equality_p": float(anova_oneway([np.asarray(group["discount"]) / 100 for group in groups], use_var="unequal", welch_correction=True).pvalue),
        "q": float(homogeneity.statistic),
        "q_p": float(homogeneity.pvalue),
        "effects": [[effect, *map(float, test.confidence_interval(0.95))] for effect, test in zip(effects, tests)],
        "holm": multipletests(p_values, method="holm")[1].tolist(),
        "bh": multipletests(p_values, method="fdr_bh")[1].tolist(),
    }


def ridge_case(seed):
    rng = np.random.default_rng(seed)
    n, width, penalty = int(rng.integers(60, 90)), int(rng.integers(1, 4)), float(rng.choice([0.0, 0.01, 0.1, 1.0]))
    x = np.round(rng.normal(size=(n, width)) * rng.uniform(0.5, 20, width) + rng.uniform(-5, 50, width), 2)
    y = np.round(x @ rng.uniform(-2, 3, width) + rng.normal(size=n) * 5 + 3, 2)
    arms = [np.round(rng.normal(size=(20, width)) * 2 + shift, 2) for shift in (0.0, 1.0)]
    # Our penalty is a share of each surrogate's variance: a ridge on standardised columns.
    centre, spread = x.mean(axis=0), x.std(axis=0, ddof=1)
    fit = Ridge(alpha=penalty * (n - 1), solver="cholesky").fit((x - centre) / spread, y)
    predicted = [fit.predict((arm - centre) / spread) for arm in arms]
    return {
        "x": x.T.tolist(), "y": y.tolist(), "held_out": arms[0].tolist(), "treated": arms[1].tolist(), "penalty": penalty,
        "slopes": (fit.coef_ / spread).tolist(),
        "intercept": float(fit.intercept_ - (fit.coef_ / spread) @ centre),
        "effect": float(predicted[1].mean() - predicted[0].mean()),
        "std_error_of_sampling": float(np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in predicted))),
    }


if __name__ == "__main__":
    for path, cases in [("fairness/tests/peers.json", [groups_case(seed) for seed in range(50)]), ("money/tests/ridge.json", [ridge_case(seed) for seed in range(20)])]:
        (SOURCE / path).write_text(json.dumps(cases, separators=(",", ":")) + "\n")
