"""Writes fixed panels and series, and what peers say of them: the expected values of our tests of observational estimators.

    observational/bin/python observational_cases.py > ../../../crates/evaluation/src/observational/tests/peers.json

statsmodels: differences and segmented regressions (OLS with cluster-robust or HAC variance), local level with controls
(UnobservedComponents, regression in the state, given variances). pyfixest: two-way fixed effects and event studies.
diff-diff: group-time effects (Callaway and Sant'Anna) and synthetic differences. drdid: the same with a covariate. pysyncon: weights of synthetic controls,
with its solver's tolerance set to 1e-16 (its default of 1e-6 leaves weights that are off by up to 4e-4).
"""

import json
import warnings

import numpy as np
import pandas as pd
import pyfixest as pf
import statsmodels.api as sm
from diff_diff import CallawaySantAnna, SyntheticDiD
from drdid.drdid import drdid_panel
from pysyncon import Synth

warnings.simplefilter("ignore")


def panel(seed, units, periods, starts, clusters):
    """`starts` of units by turns; None is never."""
    rng = np.random.default_rng(seed)
    start = [starts[unit % len(starts)] for unit in range(units)]
    cluster = [unit // (len(starts) * clusters) * len(starts) + unit % len(starts) for unit in range(units)]
    x = np.round(rng.normal(size=units) + [0.3 * (s is not None) for s in start], 3)
    common = rng.normal(size=(max(cluster) + 1, periods))
    y = rng.normal(size=(units, 1)) * 3 + rng.normal(size=(1, periods)) + rng.normal(size=(units, periods)) + common[cluster]
    y += 0.2 * x[:, None] * np.arange(periods)
    for unit, s in enumerate(start):
        if s is not None:
            y[unit, s:] += 1.0 + 0.3 * np.arange(periods - s)
    return {"y": np.round(y, 3).tolist(), "start": start, "cluster": cluster, "x": x.tolist()}


def frame(case):
    rows = []
    for unit, series in enumerate(case["y"]):
        start = case["start"][unit]
        for time, value in enumerate(series):
            relative = -1 if start is None else time - start
            rows.append((unit, time, value, case["cluster"][unit], int(start is not None), int(start is not None and time >= start), relative, 0 if start is None else start, case["x"][unit]))
    return pd.DataFrame(rows, columns=["unit", "time", "y", "cluster", "treated", "post", "relative", "first", "x"])


def differences(case):
    """Change of each unit on the arm, by cluster."""
    y, start = np.array(case["y"]), max(s for s in case["start"] if s is not None)
    change = y[:, start:].mean(axis=1) - y[:, :start].mean(axis=1)
    arm = np.array([s is not None for s in case["start"]], float)
    fit = sm.OLS(change, sm.add_constant(arm)).fit(cov_type="cluster", cov_kwds={"groups": np.array(case["cluster"])})
    return [float(fit.params[1]), float(fit.bse[1])]


def two_way(case):
    fit = pf.feols("y ~ post | unit + time", frame(case), vcov={"CRV1": "cluster"}, ssc=SSC)
    return [float(fit.coef().iloc[0]), float(fit.se().iloc[0])]


def study(case):
    data = frame(case)
    columns = {}
    for relative in sorted(set(data["relative"]) - {-1}):
        columns[relative] = f"at{'m' if relative < 0 else 'p'}{abs(relative)}"
        data[columns[relative]] = ((data["relative"] == relative) & (data["treated"] == 1)).astype(float)
    fit = pf.feols(f"y ~ {' + '.join(columns.values())} | unit + time", data, vcov={"CRV1": "cluster"}, ssc=SSC)
    coefficient, error = fit.coef(), fit.se()
    return [[relative, float(coefficient[name]), float(error[name])] for relative, name in columns.items()]


def group_time(case, controls, cluster):
    data = frame(case).rename(columns={"cluster": "group"})
    options = {"cluster": "group"} if cluster else {}
    found = CallawaySantAnna(control_group=controls, estimation_method="reg", **options).fit(
        data, outcome="y", unit="unit", time="time", first_treat="first")
    cells = [[int(g), int(t), float(v["effect"]), float(v["se"])] for (g, t), v in sorted(found.group_time_effects.items())]
    return {"controls": controls, "clustered": cluster, "cells": cells, "simple": [float(found.overall_att), float(found.overall_se)]} | {
        kind: averages(found, kind) for kind in ["group", "event_study"]}


def doubly_robust(case):
    """Each group and time against units never treated, given x."""
    y, x, start = np.array(case["y"]), np.array(case["x"]), case["start"]
    cells = []
    for group in sorted({s for s in start if s is not None}):
        kept = [unit for unit, s in enumerate(start) if s is None or s == group]
        arm = np.array([start[unit] == group for unit in kept], float)
        for time in range(1, y.shape[1]):
            base = time - 1 if time < group else group - 1
            effect, influence = drdid_panel(y[kept, time], y[kept, base], arm, covariates=sm.add_constant(x[kept]))
            cells.append([group, time, float(effect), float(np.sqrt((np.asarray(influence) ** 2).mean() / len(kept)))])
    return cells


def averages(found, kind):
    table = found.aggregate(kind).to_dataframe()
    part = "event_time" if kind == "event_study" else "label"
    return [[int(row[part]), float(row["att"]), float(row["se"])] for _, row in table.iterrows()]


def synthetic_did(case):
    data = frame(case)
    start = max(s for s in case["start"] if s is not None)
    found = SyntheticDiD(variance_method="jackknife").fit(
        data, outcome="y", treatment="treated", unit="unit", time="time", post_periods=list(range(start, len(case["y"][0]))))
    units = [found.unit_weights.get(unit) for unit, s in enumerate(case["start"]) if s is None]
    return {"effect": float(found.att), "se": float(found.se), "zeta": float(found.zeta_omega), "units": [float(w) for w in units],
            "periods": [float(found.time_weights[t]) for t in range(start)]}


def synthetic_control(seed, donors, before, after):
    rng = np.random.default_rng(seed)
    factors = np.cumsum(rng.normal(size=(2, before + after)), axis=1)
    y = 10 + rng.uniform(size=(donors + 1, 2)) @ factors + 0.5 * rng.normal(size=(donors + 1, before + after))
    y = np.round(y, 3)
    # pysyncon's inner problem, all outcomes before with weight 1.
    weights, _ = Synth.w_optimize(V_mat=np.identity(before), X0=y[1:, :before].T, X1=y[0, :before], qp_options={"maxiter": 10000, "ftol": 1e-16})
    gaps = y[0] - weights @ y[1:]
    return {"treated": y[0].tolist(), "donors": y[1:].tolist(), "start": before, "weights": weights.tolist(), "effect": float(gaps[before:].mean()),
            "rmspe": float(np.sqrt((gaps[:before] ** 2).mean()))}


def segmented(seed, periods, start, season, lags):
    rng = np.random.default_rng(seed)
    control = np.round(rng.normal(size=periods), 3)
    noise = np.zeros(periods)
    for t in range(1, periods):
        noise[t] = 0.4 * noise[t - 1] + rng.normal()
    t = np.arange(periods)
    y = np.round(20 + 0.1 * t + np.sin(2 * np.pi * t / max(season, 1)) + 0.5 * control + (t >= start) * (2 + 0.05 * (t - start)) + noise, 3)
    post = (t >= start).astype(float)
    design = np.column_stack([np.ones(periods), t, post, post * (t - start), control] + [(t % season == s).astype(float) for s in range(1, season)])
    fit = sm.OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True)
    mean = np.zeros(design.shape[1])
    mean[2], mean[3] = 1.0, (periods - start - 1) / 2
    of_mean = fit.t_test(mean)
    answers = [float(of_mean.effect[0]), float(np.squeeze(of_mean.sd)), float(fit.params[2]), float(fit.bse[2]), float(fit.params[3]), float(fit.bse[3])]
    return {"y": y.tolist(), "control": control.tolist(), "start": start, "season": season, "lags": lags, "answers": answers}


def local_level(seed, periods, start, noise, step):
    rng = np.random.default_rng(seed)
    control = np.round(rng.normal(size=periods) + 2.0, 3)
    level = np.cumsum(np.sqrt(step) * rng.normal(size=periods))
    y = np.round(30 + level + 0.7 * control + np.sqrt(noise) * rng.normal(size=periods), 3)
    # The model with given variances, first level and slope diffuse.
    model = sm.tsa.UnobservedComponents(y[:start], level="llevel", exog=control[:start, None], mle_regression=False, use_exact_diffuse=True)
    fit = model.smooth([noise, step])
    forecast = fit.get_forecast(periods - start, exog=control[start:, None])
    return {"y": y.tolist(), "control": control.tolist(), "start": start, "noise": noise, "step": step, "slope": float(fit.smoothed_state[1, -1]),
            "slope_variance": float(fit.smoothed_state_cov[1, 1, -1]), "mean": forecast.predicted_mean.tolist(), "variance": (forecast.se_mean ** 2).tolist()}


SSC = pf.ssc(k_adj=True, k_fixef="nonnested", G_adj=True, G_df="conventional")

if __name__ == "__main__":
    common = [panel(seed, units, periods, [None, start], clusters) for seed, units, periods, start, clusters in
              [(1, 24, 6, 3, 1), (2, 40, 8, 5, 2), (3, 60, 5, 2, 1), (4, 36, 10, 6, 3), (5, 30, 4, 3, 1)]]
    several = [panel(seed, units, periods, starts, clusters) for seed, units, periods, starts, clusters in
               [(11, 60, 6, [None, 2, 4], 1), (12, 80, 7, [None, 3, None, 5], 2), (13, 90, 6, [2, 3, 4, None, 5], 1)]]
    for case in common:
        case |= {"differences": differences(case), "two_way": two_way(case), "study": study(case)}
    for case in common[:4]:
        case |= {"synthetic": synthetic_did(case)}
    for case in several:
        case |= {"two_way": two_way(case), "group_time": [group_time(case, controls, cluster) for controls in ["never_treated", "not_yet_treated"] for cluster in [False, True]],
                 "doubly_robust": doubly_robust(case)}
    controls = [synthetic_control(seed, donors, before, 5) for seed, donors, before in [(21, 8, 15), (22, 12, 20), (23, 20, 30), (24, 5, 10), (25, 15, 40), (26, 30, 40)]]
    lines = [segmented(seed, *of) for seed, of in enumerate([(60, 40, 0, 3), (100, 70, 7, 5), (52, 30, 4, 0), (120, 60, 7, 10), (40, 25, 0, 2)], 31)]
    levels = [local_level(seed, 60, 45, noise, step) for seed, (noise, step) in enumerate([(1.0, 0.5), (0.3, 1.0), (2.0, 0.01), (1.0, 4.0)], 41)]
    print(json.dumps({"common": common, "several": several, "controls": controls, "lines": lines, "levels": levels}))
