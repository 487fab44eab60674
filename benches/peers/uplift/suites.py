"""Data of which the true effect is known, written as Parquet.

    python suites.py DIR [--suite nie_wager,zhao,dose] [--seeds 20]

DIR/SUITE/SETUP/SEED/ holds train.parquet (x0..., treatment, y; with costs also cost), test.parquet (the same columns
and the truth: tau_ARM, the effect of each arm on the expected outcome; e_ARM, the chance that a row had the arm;
mu_control, the expected outcome without treatment), train_truth.parquet (the truth of train's rows, for peers that are
given propensities; no learner reads it otherwise) and meta.json (features, control, arms, cost of each arm).
For a single treatment tau and e stand beside tau_treated and e_treated. A folder that is complete is left as it is.

nie_wager  Nie & Wager (2018), "Quasi-oracle estimation of heterogeneous treatment effects", set-ups A to D, as
           causalml.dataset.synthetic_data modes 1 to 4 make them: n = 5,000 and 5,000, p = 10, sigma = 1, after
           numpy.random.seed(1000 * mode + seed); the first call is train, the second test.

zhao       Zhao, Fang & Simchi-Levi (2017), "Uplift modeling with multiple treatments and general response types",
           section 5.1: X ~ U[0, 10]^50; under treatment t in {1, 2, 3, 4}
               Y = f(X) + U[0, a X_t] + N(0, s^2),  a = 0.4, s = 0.8,
               f(x) = sum over i = 1..50 of A_i exp(- sum over j of B_ij |x_j - C_ij|).
           The paper leaves open how A, B and C are drawn: here A ~ U[0, 1], B ~ U[0, 0.04], C ~ U[0, 10], drawn once
           per seed, and A is scaled so that the mean of f is 4.18, which gives the paper's E[Y | T = t] = 5.18.
           Ours beside it: an untreated arm, Y = f(X) + N(0, s^2), since a promotion need not be given; and costs of
           0.7, 0.9, 1.1, 1.3 for treatments 1 to 4. So tau_t(x) = a x_t / 2, of mean 1, and who gets what is worth
           max(0, max over t of tau_t - cost_t). Arms are drawn with equal chances. n = 10,000 and 10,000.

dose       Bica, Jordon & van der Schaar (2020), "Estimating the effects of continuous-valued interventions using
           generative adversarial networks", treatment 3 of their appendix (also used after Schwab et al. 2020):
               Y = C (v1.x + 12 (v2.x d - v3.x d^2)) + N(0, s^2), best dose d* = v2.x / (2 v3.x),
               d ~ Beta(k, (k - 1) / d* + 2 - k): who profits from a dose is likelier to get it,
           v ~ U[0, 10]^p scaled to length 1, k = 2. They take x from gene expressions; here x ~ Exp(1)^10 scaled to
           length 1 (positive, skewed). C = 1 and s = 1. The dose is offered in steps, as promotions are: d is rounded
           to the nearest of 0, .2, .4, .6, .8, 1, of which 0 is control, so that the chance of each arm is a
           difference of Beta distribution functions; a dose d costs 2 d. n = 10,000 and 10,000.
"""

import argparse
import json
import os

import numpy as np
import pandas as pd
from scipy.stats import beta as beta_distribution

SETUPS = {"nie_wager": ["A", "B", "C", "D"], "zhao": ["multi"], "dose": ["quadratic"]}


def nie_wager(setup, seed):
    from causalml.dataset import synthetic_data

    mode = "ABCD".index(setup) + 1
    np.random.seed(1000 * mode + seed)

    def half():
        y, x, w, tau, b, e = synthetic_data(mode=mode, n=5000, p=10, sigma=1.0)
        frame = features(x)
        frame["treatment"] = np.where(w == 1, "treated", "control")
        frame["y"] = y
        # causalml centres: treated gains tau / 2, control loses it.
        truth = {"tau": tau, "e": e, "tau_treated": tau, "e_treated": e, "e_control": 1 - e, "mu_control": b - tau / 2}
        return frame, pd.DataFrame(truth)

    return half(), half(), {"treated": 0.0}


def zhao(_setup, seed):
    rng = np.random.default_rng([2017, seed])
    p, n, spread, noise = 50, 10_000, 0.4, 0.8
    a, b, c = rng.uniform(0, 1, 50), rng.uniform(0, 0.04, (50, p)), rng.uniform(0, 10, (50, p))

    def mixture(x):
        return sum(a[i] * np.exp(-np.abs(x - c[i]) @ b[i]) for i in range(50))

    scale = 4.18 / mixture(rng.uniform(0, 10, (20_000, p))).mean()
    arms = ["control", "t1", "t2", "t3", "t4"]

    def half():
        x = rng.uniform(0, 10, (n, p))
        mu = scale * mixture(x)
        arm = rng.integers(0, 5, n)
        ceiling = np.column_stack([np.zeros(n), spread * x[:, :4]])
        y = mu + rng.uniform(0, 1, n) * ceiling[np.arange(n), arm] + rng.normal(0, noise, n)
        return many_armed(x, arms, arm, y, mu, ceiling / 2, np.full((n, 5), 0.2), costs)

    costs = {"t1": 0.7, "t2": 0.9, "t3": 1.1, "t4": 1.3}
    return half(), half(), costs


def dose(_setup, seed):
    rng = np.random.default_rng([2020, seed])
    p, n, noise, bias = 10, 10_000, 1.0, 2.0
    doses = np.array([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    arms = ["control", "d20", "d40", "d60", "d80", "d100"]
    costs = {arm: 2 * d for arm, d in zip(arms[1:], doses[1:])}
    v = rng.uniform(0, 10, (3, p))
    v /= np.linalg.norm(v, axis=1, keepdims=True)

    def half():
        x = rng.exponential(1.0, (n, p))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        base, gain, loss = x @ v[0], x @ v[1], x @ v[2]
        best = gain / (2 * loss)
        second = np.where(best < 1, (bias - 1) / best + 2 - bias, 1.0)
        edges = beta_distribution.cdf([[0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]], bias, second[:, None])
        arm = np.rint(rng.beta(bias, second) * 5).astype(int)
        tau = 12 * (gain[:, None] * doses - loss[:, None] * doses**2)
        y = base + tau[np.arange(n), arm] + rng.normal(0, noise, n)
        return many_armed(x, arms, arm, y, base, tau, np.diff(edges, axis=1), costs)

    return half(), half(), costs


def features(x):
    return pd.DataFrame({f"x{j}": x[:, j] for j in range(x.shape[1])})


def many_armed(x, arms, arm, y, mu, tau, chances, costs):
    frame = features(x)
    frame["treatment"] = np.array(arms, dtype=object)[arm]
    frame["y"] = y
    frame["cost"] = np.array([costs.get(name, 0.0) for name in arms])[arm]
    truth = {f"tau_{name}": tau[:, place] for place, name in enumerate(arms) if place > 0}
    truth |= {f"e_{name}": chances[:, place] for place, name in enumerate(arms)}
    return frame, pd.DataFrame(truth | {"mu_control": mu})


def write(folder, suite, setup, seed):
    """Writes one set; its folder."""
    folder = os.path.join(folder, suite, setup, str(seed))
    if os.path.exists(os.path.join(folder, "meta.json")):
        return folder
    os.makedirs(folder, exist_ok=True)
    (train, train_truth), (test, truth), costs = {"nie_wager": nie_wager, "zhao": zhao, "dose": dose}[suite](setup, seed)
    train.to_parquet(os.path.join(folder, "train.parquet"), index=False)
    train_truth.to_parquet(os.path.join(folder, "train_truth.parquet"), index=False)
    pd.concat([test, truth], axis=1).to_parquet(os.path.join(folder, "test.parquet"), index=False)
    names = [name for name in train.columns if name.startswith("x")]
    meta = {"suite": suite, "setup": setup, "seed": seed, "features": names, "control": "control", "costs": costs}
    # Last: it says that the folder is complete.
    with open(os.path.join(folder, "meta.json"), "w") as file:
        json.dump(meta, file)
    return folder


def main():
    parser = argparse.ArgumentParser(description="Writes data of which the true effect is known.")
    parser.add_argument("folder")
    parser.add_argument("--suite", default="nie_wager,zhao,dose")
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    for suite in args.suite.split(","):
        for seed in range(args.seeds):
            for setup in SETUPS[suite]:
                print(write(args.folder, suite, setup, seed))


if __name__ == "__main__":
    main()
