"""Writes fixed inputs and what gbstats and tea-tasting say about them: the expected values of our tests.

    old/bin/python experiment_cases.py old > old.json                        # gbstats 0.2.2
    gb/bin/python experiment_cases.py gbstats old.json > gb.json             # gbstats 0.8.0
    PYTHONPATH=growthbook/packages/stats gb/bin/python experiment_cases.py head gb.json > head.json
    tea/bin/python experiment_cases.py tea head.json > ../../../crates/evaluation/src/experiment/tests/peers.json

Three environments (requirements-*.txt), as the peers want different versions of numpy. Inputs are made in the second step. The
third runs gbstats as it stands in growthbook/growthbook at commit 8f1db4456915 (not on the package index): it corrects two
faults of 0.8.0 and knows post-stratification.
Row-level inputs are kept as aggregates (units, means, covariances by arm), which both peers and we work from; quantiles keep
their rows.
"""

import json
import math
import sys

import numpy as np

RNG = np.random.default_rng(20261201)


def plain(value):
    """JSON has no numpy numbers, and neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


# -- inputs ----------------------------------------------------------------------------------------------


def users(n, effect, kind):
    """Columns y, d (denominator), x, z (their covariates before), of one arm."""
    before = RNG.gamma(2.0, 1.0, n)
    sessions_before = RNG.poisson(2.0 + before) + 1
    sessions = RNG.poisson(2.0 + before) + 1
    if kind == "revenue":
        buys = RNG.uniform(size=n) < 0.25
        y = np.where(buys, RNG.lognormal(3.0 + effect, 1.0, n) * (0.5 + 0.25 * before), 0.0)
        x = np.where(RNG.uniform(size=n) < 0.3, RNG.lognormal(3.0, 1.0, n) * (0.5 + 0.25 * before), 0.0)
    elif kind == "orders":
        y = RNG.poisson(0.4 * sessions * (1.0 + effect)).astype(float)
        x = RNG.poisson(0.4 * sessions_before).astype(float)
    elif kind == "normal":
        y = 10.0 + effect + before + RNG.normal(size=n)
        x = 10.0 + before + RNG.normal(size=n)
    else:  # large: a mean far from 0 beside its spread
        y = 1e5 + 3.0 * effect + before + RNG.normal(size=n)
        x = 1e5 + before + RNG.normal(size=n)
    return np.column_stack([y, sessions, x, sessions_before]).astype(float)


def moments(rows):
    covariance = np.cov(rows, rowvar=False)
    lower = [covariance[i, j] for i in range(rows.shape[1]) for j in range(i + 1)]
    return {"n": len(rows), "means": rows.mean(axis=0).tolist(), "covariances": lower}


SETS = [
    ("revenue", 400, 400, 0.2, "revenue"),
    ("revenue, unequal", 1500, 300, -0.3, "revenue"),
    ("revenue, large", 20000, 20000, 0.05, "revenue"),
    ("orders", 1000, 1010, 0.1, "orders"),
    ("orders, few", 25, 31, 0.5, "orders"),
    ("normal", 300, 350, 0.3, "normal"),
    ("normal, no effect", 2000, 2000, 0.0, "normal"),
    ("large mean", 500, 500, 0.3, "large"),
]

PROPORTIONS = [(600, 10000, 682, 10120), (30, 400, 45, 410), (500, 1000, 470, 1000), (12, 5000, 31, 5100), (2500, 3000, 2650, 3050)]


# -- gbstats ---------------------------------------------------------------------------------------------


def gb_statistics(arm, kind):
    """gbstats' own statistics from moments of y, d, x, z."""
    from gbstats.models.statistics import RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic

    n, m, c = arm["n"], arm["means"], arm["covariances"]
    at = lambda i, j: c[i * (i + 1) // 2 + j]
    squares = lambda i, j: at(i, j) * (n - 1) + n * m[i] * m[j]
    mean = lambda i: SampleMeanStatistic(n=n, sum=n * m[i], sum_squares=squares(i, i))
    if kind == "mean":
        return mean(0)
    if kind == "ratio":
        return RatioStatistic(n=n, m_statistic=mean(0), d_statistic=mean(1), m_d_sum_of_products=squares(1, 0))
    return RegressionAdjustedStatistic(n=n, post_statistic=mean(0), pre_statistic=mean(2), post_pre_sum_of_products=squares(2, 0), theta=0)


def gb_tests(make):
    """Every engine, relative and absolute."""
    from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior
    from gbstats.frequentist.tests import (
        FrequentistConfig, OneSidedTreatmentGreaterTTest, OneSidedTreatmentLesserTTest, SequentialConfig,
        SequentialTwoSidedTTest, TwoSidedTTest,
    )

    out = {}
    for difference in ["relative", "absolute"]:
        frequentist = {"two_sided": TwoSidedTTest, "greater": OneSidedTreatmentGreaterTTest, "less": OneSidedTreatmentLesserTTest}
        for name, test in frequentist.items():
            result = test(*make(), FrequentistConfig(difference_type=difference)).compute_result()
            out[f"{difference} {name}"] = [result.expected, *result.ci, result.uplift.stddev, result.p_value]
        result = TwoSidedTTest(*make(), FrequentistConfig(difference_type=difference, alpha=0.1)).compute_result()
        out[f"{difference} two_sided .9"] = [result.expected, *result.ci, result.uplift.stddev, result.p_value]
        for tuning in [500, 5000]:
            config = SequentialConfig(difference_type=difference, sequential_tuning_parameter=tuning)
            result = SequentialTwoSidedTTest(*make(), config).compute_result()
            out[f"{difference} sequential {tuning}"] = [result.expected, *result.ci, result.uplift.stddev, result.p_value]
        priors = {
            "flat": (GaussianPrior(), "relative"),
            "relative prior": (GaussianPrior(mean=0.02, variance=0.09, proper=True), "relative"),
            "absolute prior": (GaussianPrior(mean=0.1, variance=4.0, proper=True), "absolute"),
        }
        for name, (prior, prior_type) in priors.items():
            config = EffectBayesianConfig(difference_type=difference, prior_effect=prior, prior_type=prior_type)
            result = EffectBayesianABTest(*make(), config).compute_result()
            out[f"{difference} bayesian {name}"] = [result.expected, *result.ci, result.uplift.stddev, result.chance_to_win, *result.risk]
    return out


def gb_quantiles():
    from gbstats.models.statistics import QuantileClusteredStatistic, QuantileStatistic

    cases = []
    for nu, clusters, scale in [(0.5, 60, 1.0), (0.9, 80, 50.0), (0.75, 40, 1.0), (0.25, 70, 200.0)]:
        arms = []
        for arm in range(2):
            size = RNG.poisson(5, clusters) + 1
            owner = np.repeat(np.arange(clusters), size)
            common = RNG.normal(size=clusters)[owner]
            values = np.round(scale * np.exp(0.5 * common + 0.5 * RNG.normal(size=len(owner)) + 0.1 * arm), 6)
            n, z = len(values), 1.959963984540054
            reach = z * math.sqrt(nu * (1 - nu) / n)
            at = np.quantile(values, [nu, nu - reach, nu + reach])
            below = np.array([(values[owner == c] <= at[0]).sum() for c in range(clusters)], float)
            base = dict(n=n, n_star=n, nu=nu, quantile_hat=at[0], quantile_lower=at[1], quantile_upper=at[2])
            clustered = dict(
                main_sum=below.sum(), main_sum_squares=(below**2).sum(), denominator_sum=size.sum(),
                denominator_sum_squares=(size**2).sum(), main_denominator_sum_product=(below * size).sum(), n_clusters=clusters,
            )
            arms.append((values, owner, base, clustered))
        cases.append({
            "nu": nu, "values": [a[0].tolist() for a in arms], "clusters": [a[1].tolist() for a in arms],
            "independent": gb_tests(lambda: [QuantileStatistic(**a[2]) for a in arms]),
            "clustered": gb_tests(lambda: [QuantileClusteredStatistic(**a[2], **a[3]) for a in arms]),
        })
    return cases


def gb_srm():
    from gbstats.utils import check_srm

    cases = [([1000, 1040], [0.5, 0.5]), ([1000, 1200], [0.5, 0.5]), ([900, 300, 310], [0.6, 0.2, 0.2]), ([50000, 50700, 99000, 101000], [1, 1, 2, 2]),
             ([5000, 5000, 7], [0.5, 0.5, 0])]
    return [{"units": units, "weights": weights, "p": check_srm(units, weights)} for units, weights in cases]


def gb_old():
    """gbstats 0.2.2: Bayesian only, ln(b/a) taken as normal."""
    from gbstats.bayesian.main import binomial_ab_test, gaussian_ab_test
    from gbstats.gbstats import check_srm

    flat = lambda result: [result["expected"], *result["ci"], result["uplift"]["mean"], result["uplift"]["stddev"], result["chance_to_win"], *result["risk"]]
    proportions = [{"counts": list(case), "old": flat(binomial_ab_test(*case))} for case in PROPORTIONS]
    means = []
    for a, sa, na, b, sb, nb in [(10, 3, 200, 10.4, 3.2, 210), (5.2, 20, 5000, 5.9, 22, 5100), (100, 15, 60, 97, 14, 55), (0.8, 1.1, 900, 0.82, 1.2, 950)]:
        means.append({"control": [a, sa, na], "treatment": [b, sb, nb], "old": flat(gaussian_ab_test(a, sa, na, b, sb, nb))})
    srm = [{"units": u, "weights": w, "p": check_srm(u, w)} for u, w in [([1000, 1040], [0.5, 0.5]), ([900, 300, 310], [0.6, 0.2, 0.2])]]
    return {"conversions": proportions, "means": means, "srm": srm}


# -- gbstats, not released ---------------------------------------------------------------------------------


def head_figures(pairs, difference, post_stratify, test="TwoSidedTTest"):
    import gbstats.frequentist.tests as tests

    config = tests.FrequentistConfig(difference_type=difference, post_stratify=post_stratify)
    result = getattr(tests, test)(pairs, config).compute_result()
    assert result.errorMessage is None, result.errorMessage
    return [result.expected, result.uplift.stddev] if post_stratify else [result.expected, *result.ci, result.uplift.stddev]


def head_statistics(arm, kind):
    from gbstats.models.statistics import RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic

    n, m, c = arm["n"], arm["means"], arm["covariances"]
    squares = lambda i, j: c[i * (i + 1) // 2 + j] * (n - 1) + n * m[i] * m[j]
    mean = lambda i: SampleMeanStatistic(n=n, sum=n * m[i], sum_squares=squares(i, i))
    if kind == "cuped":
        return RegressionAdjustedStatistic(
            n=n, post_statistic=mean(0), pre_statistic=mean(2), post_pre_sum_of_products=squares(2, 0), theta=None)
    return RatioStatistic(n=n, m_statistic=mean(0), d_statistic=mean(1), m_d_sum_of_products=squares(1, 0)) if kind == "ratio" else mean(0)


def head(cases):
    for one in cases["sets"]:
        pair = lambda kind: [tuple(head_statistics(one[arm], kind) for arm in ["control", "treatment"])]
        one["head"] = {
            "relative cuped": head_figures(pair("cuped"), "relative", False),
            "less": head_figures(pair("mean"), "absolute", False, "OneSidedTreatmentLesserTTest"),
        }
    strata = []
    for sizes in [[(300, 280), (120, 140), (60, 50)], [(500, 100), (80, 400)], [(40, 50), (45, 44), (30, 38), (61, 59)]]:
        for kind in ["revenue", "orders", "normal"]:
            cells = [[moments(users(n, 0.1 * arm + 0.3 * k, kind)[:, :2]) for arm, n in enumerate(size)] for k, size in enumerate(sizes)]
            answers = {}
            for metric in ["mean", "ratio"]:
                for difference in ["absolute", "relative"]:
                    pairs = [tuple(head_statistics(arm, metric) for arm in cell) for cell in cells]
                    answers[f"{metric} {difference}"] = head_figures(pairs, difference, True)
            strata.append({"cells": cells, "answers": answers})
    return cases | {"strata": strata}


# -- tea-tasting -----------------------------------------------------------------------------------------

NAMES = ["y", "d", "x", "z"]


def tea_aggregates(arm):
    from tea_tasting.aggr import Aggregates

    at = lambda i, j: arm["covariances"][i * (i + 1) // 2 + j]
    pairs = {(NAMES[j], NAMES[i]): at(i, j) for i in range(4) for j in range(i)}
    return Aggregates(arm["n"], dict(zip(NAMES, arm["means"])), {NAMES[i]: at(i, i) for i in range(4)}, pairs)


def tea_result(result):
    return [
        result.control, result.treatment, result.effect_size, result.effect_size_ci_lower, result.effect_size_ci_upper,
        result.rel_effect_size, result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper, result.pvalue,
    ]


def tea_metrics(control, treatment):
    import tea_tasting as tt

    a, b = tea_aggregates(control), tea_aggregates(treatment)
    settings = {
        "two-sided": {}, "greater": {"alternative": "greater"}, "less": {"alternative": "less"}, "pooled": {"equal_var": True},
        "normal .9": {"use_t": False, "confidence_level": 0.9},
    }
    columns = {"mean": ("y", None, None, None), "ratio": ("y", "d", None, None), "mean cuped": ("y", None, "x", None), "ratio cuped": ("y", "d", "x", "z")}
    return {
        f"{kind} {name}": tea_result(tt.RatioOfMeans(*column, **setting).analyze_aggregates(a, b))
        for kind, column in columns.items() for name, setting in settings.items()
    }


def tea_power(arm):
    import tea_tasting as tt

    aggregates = tea_aggregates(arm)
    out = []
    for kind, columns in {"mean": ("y", None, None, None), "ratio": ("y", "d", None, None), "mean cuped": ("y", None, "x", None)}.items():
        for name, setting in {
            "t": {}, "normal": {"use_t": False}, "pooled": {"equal_var": True}, "unequal": {"ratio": 0.25}, "greater": {"alternative": "greater"},
        }.items():
            metric = lambda **more: tt.RatioOfMeans(*columns, **setting, **more)
            power = metric(rel_effect_size=0.05, n_obs=(500, 5000)).solve_power_from_aggregates(aggregates, "power")
            effect = metric(n_obs=(500, 5000)).solve_power_from_aggregates(aggregates, "effect_size")
            try:
                units = [row.n_obs for row in metric(rel_effect_size=0.1).solve_power_from_aggregates(aggregates, "n_obs")]
            except ValueError:
                # Its search starts at 3 units of both arms, which an unequal split makes less than one of the smaller.
                units = [None]
            out.append({
                "kind": kind, "setting": name, "power": [row.power for row in power], "effect": [row.effect_size for row in effect],
                "units": units,
            })
    return out


def tea_proportions():
    import tea_tasting as tt
    from tea_tasting.aggr import Aggregates

    out = []
    for x, n, y, m in PROPORTIONS:
        a, b = Aggregates(n, {"p": x / n}), Aggregates(m, {"p": y / m})
        tests = {}
        for tail in ["two-sided", "greater", "less"]:
            for pooled in [True, False]:
                for correction in [True, False]:
                    metric = tt.Proportion("p", method="norm", alternative=tail, equal_var=pooled, correction=correction)
                    tests[f"norm {tail} {'pooled' if pooled else 'unpooled'} {'corrected' if correction else 'plain'}"] = tea_result(metric.analyze_aggregates(a, b))
            tests[f"fisher {tail}"] = [tt.Proportion("p", method="fisher", alternative=tail).analyze_aggregates(a, b).pvalue]
        for method in ["pearson", "log-likelihood"]:
            for correction in [True, False]:
                result = tt.Proportion("p", method=method, correction=correction).analyze_aggregates(a, b)
                tests[f"{method} {'corrected' if correction else 'plain'}"] = [result.pvalue]
        out.append({"counts": [x, n, y, m], "tests": tests})
    return out


def tea_small_proportions():
    import tea_tasting as tt
    from tea_tasting.aggr import Aggregates

    out = []
    for x, n, y, m in [(7, 12, 2, 15), (3, 40, 9, 38), (11, 60, 30, 90), (0, 20, 4, 25), (150, 300, 160, 290), (5, 25, 5, 25)]:
        a, b = Aggregates(n, {"p": x / n}), Aggregates(m, {"p": y / m})
        tests = {}
        for tail in ["two-sided", "greater", "less"]:
            for pooled in [True, False]:
                metric = tt.Proportion("p", method="barnard", alternative=tail, equal_var=pooled)
                tests[f"barnard {tail} {'pooled' if pooled else 'unpooled'}"] = metric.analyze_aggregates(a, b).pvalue
            tests[f"boschloo {tail} -"] = tt.Proportion("p", method="boschloo", alternative=tail).analyze_aggregates(a, b).pvalue
        out.append({"counts": [x, n, y, m], "tests": tests})
    return out


def tea_srm():
    import tea_tasting as tt
    from tea_tasting.aggr import Aggregates

    out = []
    for a, b, ratio in [(480, 530, 1), (100, 140, 1), (300, 170, 0.5), (50000, 50800, 1), (9000, 4300, 0.5)]:
        counts = {0: Aggregates(a), 1: Aggregates(b)}
        tests = {
            "binom": tt.SampleRatio(ratio, method="binom"), "corrected": tt.SampleRatio(ratio, method="norm", correction=True),
            "plain": tt.SampleRatio(ratio, method="norm", correction=False),
        }
        out.append({"units": [a, b], "ratio": ratio, "p": {name: metric.analyze(counts, 0, 1).pvalue for name, metric in tests.items()}})
    return out


def tea_multiplicity():
    import tea_tasting as tt
    from tea_tasting.experiment import ExperimentResult

    out = []
    for p_values in [[0.001, 0.04, 0.03, 0.2, 0.5], [0.04, 0.04, 0.012], [1e-9, 0.9, 0.02, 0.021, 0.022, 0.6, 0.06]]:
        result = ExperimentResult({f"m{i}": {"pvalue": p} for i, p in enumerate(p_values)})
        adjusted = {
            "holm": tt.adjust_fwer(result, arbitrary_dependence=True, method="bonferroni"),
            "holm_sidak": tt.adjust_fwer(result, arbitrary_dependence=True, method="sidak"),
            "hochberg": tt.adjust_fwer(result, arbitrary_dependence=False, method="bonferroni"),
            "hochberg_sidak": tt.adjust_fwer(result, arbitrary_dependence=False, method="sidak"),
            "benjamini_hochberg": tt.adjust_fdr(result, arbitrary_dependence=False),
            "benjamini_yekutieli": tt.adjust_fdr(result, arbitrary_dependence=True),
        }
        take = lambda results: [row["pvalue_adj"] for results in results.values() for row in results.values()]
        out.append({"p": p_values, "adjusted": {name: take(results) for name, results in adjusted.items()}})
    return out


# -- all together ----------------------------------------------------------------------------------------


def gbstats(old):
    from gbstats.models.statistics import ProportionStatistic

    sets = []
    for name, n, m, effect, kind in SETS:
        control, treatment = moments(users(n, 0.0, kind)), moments(users(m, effect, kind))
        gb = {k: gb_tests(lambda: [gb_statistics(control, k), gb_statistics(treatment, k)]) for k in ["mean", "ratio", "cuped"]}
        sets.append({"name": name, "control": control, "treatment": treatment, "gbstats": gb})
    proportions = [
        {"counts": list(case), "gbstats": gb_tests(lambda: [ProportionStatistic(n=case[1], sum=case[0]), ProportionStatistic(n=case[3], sum=case[2])])}
        for case in PROPORTIONS
    ]
    return {"sets": sets, "proportions": proportions, "quantiles": gb_quantiles(), "srm": gb_srm(), "old": old}


def tea(cases):
    for one in cases["sets"]:
        one["tea"] = tea_metrics(one["control"], one["treatment"])
        one["power"] = tea_power(one["control"]) if one["name"] in {"revenue", "orders", "normal"} else []
    return cases | {"tea_proportions": tea_proportions(), "tea_small_proportions": tea_small_proportions(), "tea_srm": tea_srm(), "tea_multiplicity": tea_multiplicity()}


if __name__ == "__main__":
    steps = {"old": gb_old, "gbstats": gbstats, "head": head, "tea": tea}
    print(json.dumps(plain(steps[sys.argv[1]](*(json.load(open(path)) for path in sys.argv[2:])))))
