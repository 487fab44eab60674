"""Writes fixed rows and what statsmodels' least squares says about them: the expected values of our tests of regression adjustment.

    sm/bin/python regression_cases.py > ../../../crates/evaluation/src/experiment/tests/regression.json
"""

import json

import numpy as np
import statsmodels.api as sm


def case(n, share, covariates, seed):
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) < share * n).astype(float)
    x = np.round(rng.normal(size=(n, covariates)) + 3.0, 4)
    noise = rng.normal(size=n) * (0.5 + np.abs(x[:, 0] - 3.0) + arm)
    y = np.round(2.0 + 0.7 * arm + x @ np.linspace(1.0, -0.5, covariates) + 0.4 * arm * x[:, 0] + noise, 4)
    centred = x - x.mean(axis=0)
    designs = {
        "ancova": np.column_stack([np.ones(n), arm, centred]),
        "interacted": np.column_stack([np.ones(n), arm, centred, arm[:, None] * centred]),
    }
    answers = {}
    for name, design in designs.items():
        for kind in ["nonrobust", "HC2", "HC3"]:
            fit = sm.OLS(y, design).fit(cov_type=kind)
            # The part of the population's effect that the interacted fit takes as known: the mean of covariates.
            slopes = fit.params[2 + covariates:] if name == "interacted" else np.zeros(covariates)
            of_means = float(slopes @ np.atleast_2d(np.cov(x, rowvar=False)) @ slopes / n)
            answers[f"{name} {kind}"] = [float(fit.params[1]), float(fit.bse[1]) ** 2, of_means]
    return {"y": y.tolist(), "arm": arm.astype(int).tolist(), "x": x.T.tolist(), "answers": answers}


if __name__ == "__main__":
    print(json.dumps([case(40, 0.5, 1, 1), case(60, 0.25, 2, 2), case(80, 0.6, 3, 3)]))
