"""Fit and predict at many rows: ours beside LightGBM's T-learner, in one sitting.

    python speed.py [--binary youhui] [--rows 1000000] [--learner t-trees] [--rounds 3]

12 features, two arms, a continuous outcome, made here. LightGBM (200 trees, learning rate .05, 8 leaves, and its own
defaults, 100 trees of 31 leaves) on two threads in a process of its own; reading the file is not in its seconds, and is
in ours. Rounds take turns; the fastest counts. Prints one JSON object: seconds, the most memory of the process, and the
root of the mean squared error of effects on the same rows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

import ours

FEATURES = [f"x{j}" for j in range(12)]
SETTINGS = {"lightgbm_t": {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 8}, "lightgbm_t_defaults": {}}


def write(path, rows):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 12))
    treated = rng.integers(0, 2, rows)
    tau = (x[:, 2] > 0) + 0.5 * np.maximum(x[:, 3], 0)
    frame = pd.DataFrame(x, columns=FEATURES)
    frame["treatment"] = np.where(treated == 1, "treated", "control")
    frame["y"] = x[:, 0] + np.maximum(x[:, 1], 0) + treated * tau + rng.normal(size=rows)
    frame["tau"] = tau
    frame.to_parquet(path, index=False)


def error(effects, tau):
    return float(np.sqrt(np.mean((effects - tau) ** 2)))


def lightgbm(path, settings):
    """In a process of its own: seconds to fit, to predict, error."""
    import time

    import lightgbm as lgb

    frame = pd.read_parquet(path)
    x, treated, y = frame[FEATURES].to_numpy(), (frame["treatment"] == "treated").to_numpy(), frame["y"].to_numpy()
    start = time.perf_counter()
    models = [lgb.LGBMRegressor(n_jobs=2, verbose=-1, **settings).fit(x[treated == arm], y[treated == arm]) for arm in (False, True)]
    fitted = time.perf_counter()
    effects = models[1].predict(x) - models[0].predict(x)
    done = time.perf_counter()
    print(json.dumps({"fit_s": fitted - start, "predict_s": done - fitted, "sqrt_pehe": error(effects, frame["tau"].to_numpy())}))


def peer(path, settings):
    with tempfile.NamedTemporaryFile("w+") as words:
        process = subprocess.Popen([sys.executable, __file__, "--lightgbm", path, json.dumps(settings)], stdout=words)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        words.seek(0)
        return json.load(words) | {"peak_mb": usage.ru_maxrss / 1024}


def main():
    if sys.argv[1:2] == ["--lightgbm"]:
        return lightgbm(sys.argv[2], json.loads(sys.argv[3]))
    parser = argparse.ArgumentParser(description="Fit and predict at many rows.")
    parser.add_argument("--binary", default="youhui")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--learner", default="t-trees")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["ours"])
    args = parser.parse_args()
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.parquet")
        write(path, args.rows)
        tau = pd.read_parquet(path, columns=["tau"])["tau"].to_numpy()
        for _ in range(args.rounds):
            effects, _, took = ours.run(args.binary, path, path, FEATURES, ["treated"], learner=args.learner)
            answers.setdefault("ours", []).append(took | {"sqrt_pehe": error(effects[:, 0], tau)})
            for name, settings in {} if args.only else SETTINGS.items():
                answers.setdefault(name, []).append(peer(path, settings))
    best = {name: min(rounds, key=lambda one: one["fit_s"] + one["predict_s"]) for name, rounds in answers.items()}
    whole = {name: one["fit_s"] + one["predict_s"] for name, one in best.items()}
    ratios = {name: whole["ours"] / seconds for name, seconds in whole.items() if name != "ours"}
    print(json.dumps({"rows": args.rows, "simulated": True, "learner": args.learner, "best": best, "ours_over": ratios}))


if __name__ == "__main__":
    main()
