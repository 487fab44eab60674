"""Peers on data of which the true effect is known: one JSON line a set and peer.

    python peers.py DIR [--suite nie_wager] [--setup A] [--seeds 20] [--peers s_lightgbm,...] [--out results.jsonl]

DIR is where suites.py wrote. A result that stands in the file already is not computed again. A line has: suite, setup,
seed, peer, sqrt_pehe (root mean square error of the effect, over rows and arms), ate (mean estimated effect, by arm),
coverage (of 95 % intervals, for peers that give any), regret (with costs: what the best choice by true effects is worth
more than the choice by the peer's effects, per row, same units as the outcome), fit_s, predict_s (wall clock, one thread)
and peak_mb (of a process of its own, the libraries' imports among it).
"""

import argparse
import importlib.util
import json
import os
import resource
import sys
import time
import warnings

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd

# One hand-picked configuration for all meta-learners; `tune` finds others with a budget of trials.
TREES = {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 8}


class Data:
    """A set of suites.py."""

    def __init__(self, folder):
        with open(os.path.join(folder, "meta.json")) as file:
            self.meta = json.load(file)
        read = lambda name: pd.read_parquet(os.path.join(folder, name))
        train, self.test = read("train.parquet"), read("test.parquet")
        self.train_truth = read("train_truth.parquet")
        self.x = train[self.meta["features"]].to_numpy(float)
        self.x_test = self.test[self.meta["features"]].to_numpy(float)
        self.treatment, self.y = train["treatment"].to_numpy(object).astype(str), train["y"].to_numpy(float)
        self.arms = list(self.meta["costs"])
        self.tau = self.test[[f"tau_{arm}" for arm in self.arms]].to_numpy(float)
        self.costs = np.array([self.meta["costs"][arm] for arm in self.arms])

    def rows(self, arm):
        return self.treatment == arm

    def pairs(self):
        """Control and one arm, for peers that know a single treatment: features, outcome, whether treated."""
        for arm in self.arms:
            rows = self.rows("control") | self.rows(arm)
            yield self.x[rows], self.y[rows], self.rows(arm)[rows].astype(int)


def trees(**settings):
    from lightgbm import LGBMRegressor

    return LGBMRegressor(**(TREES | settings), n_jobs=1, verbose=-1, random_state=0)


def classifier():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=100, learning_rate=0.05, num_leaves=8, n_jobs=1, verbose=-1, random_state=0)


def tune(x, y, trials=10, folds=3):
    """LightGBM's settings of least squared error on held-out outcomes, out of `trials` random ones."""
    from sklearn.model_selection import KFold, cross_val_score

    rng = np.random.default_rng(0)
    best = (-np.inf, {})
    for _ in range(trials):
        settings = {
            "n_estimators": int(rng.choice([50, 100, 200, 400])),
            "learning_rate": float(rng.choice([0.02, 0.05, 0.1])),
            "num_leaves": int(rng.choice([4, 8, 16, 31])),
            "min_child_samples": int(rng.choice([10, 20, 50, 100])),
            "colsample_bytree": float(rng.choice([0.6, 0.8, 1.0])),
        }
        split = KFold(folds, shuffle=True, random_state=0)
        score = cross_val_score(trees(**settings), x, y, cv=split, scoring="neg_mean_squared_error").mean()
        best = max(best, (score, settings), key=lambda pair: pair[0])
    return best[1]


def with_arms(data, x, arms=None):
    """Features and one column an arm: whether the row had it (`arms` by row), or has it (one arm for all)."""
    arms = data.treatment if arms is None else np.full(len(x), arms)
    return np.column_stack([x, *[(arms == arm).astype(float) for arm in data.arms]])


def s_learner(model, data):
    model.fit(with_arms(data, data.x), data.y)
    base = model.predict(with_arms(data, data.x_test, "control"))
    return lambda: np.column_stack([model.predict(with_arms(data, data.x_test, arm)) - base for arm in data.arms])


def t_learner(new_model, data):
    fitted = {arm: new_model(arm).fit(data.x[data.rows(arm)], data.y[data.rows(arm)]) for arm in ["control", *data.arms]}
    return lambda: np.column_stack([fitted[arm].predict(data.x_test) - fitted["control"].predict(data.x_test) for arm in data.arms])


def s_linear(data):
    """Least squares with an indicator an arm: one effect for all."""
    from sklearn.linear_model import LinearRegression

    return s_learner(LinearRegression(), data)


def t_linear(data):
    from sklearn.linear_model import LinearRegression

    return t_learner(lambda _: LinearRegression(), data)


def tuned_t(data):
    return t_learner(lambda arm: trees(**tune(data.x[data.rows(arm)], data.y[data.rows(arm)])), data)


def causalml_learner(name, data, settings=None, **arguments):
    """Propensities that aren't given are estimated by causalml's elastic net."""
    import causalml.inference.meta as meta

    learner = getattr(meta, name)(trees(), control_name="control", **(settings or {}))
    learner.fit(data.x, data.treatment, data.y, **arguments)
    # The order of the arms in the answer is the learner's own.
    order = [list(learner.t_groups).index(arm) for arm in data.arms]
    return lambda: learner.predict(data.x_test)[:, order]


def dr_learner(data):
    """With the true propensities, clipped at .01: causalml's own estimates made it useless (see README)."""
    chance = lambda arm: data.train_truth[f"e_{arm}"].to_numpy().clip(0.01, 0.99)
    # causalml wants the chance of the arm among the rows that are either in it or in control.
    p = {arm: chance(arm) / (chance(arm) + chance("control")) for arm in data.arms}
    return causalml_learner("BaseDRRegressor", data, p=p, seed=0)


def causal_forest(data):
    from econml.dml import CausalForestDML

    forest = CausalForestDML(
        model_y=trees(), model_t=classifier(), discrete_treatment=True, n_estimators=500, n_jobs=1, random_state=0, categories=["control", *data.arms]
    )
    forest.fit(data.y, data.treatment, X=data.x)
    shape = lambda values: np.asarray(values).reshape(len(data.x_test), -1)

    def predict():
        low, high = forest.const_marginal_effect_interval(data.x_test, alpha=0.05)
        return shape(forest.const_marginal_effect(data.x_test)), shape(low), shape(high)

    return predict


def constant_ate(data):
    ate = [data.y[data.rows(arm)].mean() - data.y[data.rows("control")].mean() for arm in data.arms]
    return lambda: np.tile(ate, (len(data.x_test), 1))


def network(name, data):
    """catenets' own defaults; one network an arm, against control."""
    import catenets.models.jax as nets

    fitted = []
    for x, y, treated in data.pairs():
        model = getattr(nets, name)()
        model.fit(x, y, treated)
        fitted.append(model)
    return lambda: np.column_stack([np.asarray(model.predict(data.x_test)).ravel() for model in fitted])


PEERS = {
    "causal_forest_dml": ("econml", causal_forest),
    "s_lightgbm": ("lightgbm", lambda data: s_learner(trees(), data)),
    "t_lightgbm": ("lightgbm", lambda data: t_learner(lambda _: trees(), data)),
    "s_lightgbm_tuned": ("lightgbm", lambda data: s_learner(trees(**tune(with_arms(data, data.x), data.y)), data)),
    "t_lightgbm_tuned": ("lightgbm", tuned_t),
    "x_lightgbm": ("causalml", lambda data: causalml_learner("BaseXRegressor", data)),
    "r_lightgbm": ("causalml", lambda data: causalml_learner("BaseRRegressor", data, {"random_state": 0})),
    "dr_lightgbm": ("causalml", dr_learner),
    "linear_t": ("sklearn", t_linear),
    "linear_s": ("sklearn", s_linear),
    "constant_ate": ("numpy", constant_ate),
    "snet": ("catenets", lambda data: network("SNet", data)),
    "tarnet": ("catenets", lambda data: network("TARNet", data)),
    "dragonnet": ("catenets", lambda data: network("DragonNet", data)),
}


def regret(effects, data):
    """What the best choice is worth more than the choice by these effects, per row."""
    net = np.column_stack([np.zeros(len(data.tau)), data.tau - data.costs])
    chosen = np.column_stack([np.zeros(len(effects)), effects - data.costs]).argmax(axis=1)
    return float((net.max(axis=1) - net[np.arange(len(net)), chosen]).mean())


def measure(effects, data, low=None, high=None):
    """The figures of one set of estimates; `low` and `high` are ends of 95 % intervals, if there are any."""
    line = {"sqrt_pehe": float(np.sqrt(np.mean((effects - data.tau) ** 2))), "ate": effects.mean(axis=0).tolist()}
    if low is not None:
        line["coverage"] = float(np.mean((low <= data.tau) & (data.tau <= high)))
    if data.costs.any():
        line["regret"] = regret(effects, data)
    return line


def run(peer, folder):
    """Runs one peer on one set in a process of its own, so that its memory can be told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            data = Data(folder)
            start = time.perf_counter()
            predict = PEERS[peer][1](data)
            fitted = time.perf_counter()
            answer = predict()
            end = time.perf_counter()
            effects, low, high = answer if isinstance(answer, tuple) else (answer, None, None)
            line = measure(effects, data, low, high) | {"fit_s": fitted - start, "predict_s": end - fitted}
            line["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        except Exception as error:
            line = {"error": repr(error)[:300]}
        with os.fdopen(writing, "w") as pipe:
            json.dump(line, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"error": "the process died"}


def preload(peers):
    """Imports before the forks, so that each set doesn't pay for them. Not JAX: it doesn't survive a fork."""
    for library in {PEERS[peer][0] for peer in peers} - {"catenets"}:
        __import__({"sklearn": "sklearn.linear_model", "econml": "econml.dml", "causalml": "causalml.inference.meta"}.get(library, library))


def known(path):
    """Results that are there already, by suite, set-up, seed and peer."""
    if not path or not os.path.exists(path):
        return {}
    with open(path) as file:
        lines = [json.loads(line) for line in file if line.strip()]
    return {(line["suite"], line["setup"], line["seed"], line["peer"]): line for line in lines if "error" not in line}


def available(peers):
    have = [peer for peer in peers if importlib.util.find_spec(PEERS[peer][0])]
    missing = sorted(set(peers) - set(have))
    if missing:
        print(f"not installed in this environment, left out: {', '.join(missing)}", file=sys.stderr)
    return have


def main():
    from suites import SETUPS, write

    parser = argparse.ArgumentParser(description="Runs peers on data of which the true effect is known.")
    parser.add_argument("folder")
    parser.add_argument("--suite", default="nie_wager")
    parser.add_argument("--setup", help="only this one")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--out", help="a file of JSON lines to add to; standard output as well")
    args = parser.parse_args()
    peers = available(args.peers.split(","))
    preload(peers)
    done = known(args.out)
    for seed in range(args.seeds):
        for suite in args.suite.split(","):
            for setup in [args.setup] if args.setup else SETUPS[suite]:
                folder = write(args.folder, suite, setup, seed)
                for peer in peers:
                    key = (suite, setup, seed, peer)
                    if key not in done:
                        line = json.dumps(dict(zip(("suite", "setup", "seed", "peer"), key)) | run(peer, folder))
                        print(line, flush=True)
                        if args.out:
                            with open(args.out, "a") as file:
                                file.write(line + "\n")


if __name__ == "__main__":
    main()
