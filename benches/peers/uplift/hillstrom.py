"""Hillstrom's e-mail trial: ours beside the peers, five splits.

    python hillstrom.py hillstrom_dev.parquet [--binary youhui] [--only peers|ours] [--splits 5] [--keep DIR]

Split `seed`: row i (its row_id) is train if the top bit of splitmix64(i + seed * 2^32) is 0.

ranking  women's e-mail against none on visit: scikit-uplift's qini_auc_score(negative_effect=True) on the test half,
         mean over splits; ours less the best peer's (the one with the highest mean) with a paired bootstrap of test rows.
policy   none, men's or women's: what a choice by predicted effects is worth (doubly robust value of visit per row, with
         logistic models of visit fitted on the train half and the trial's chances, 1/3 each) less "men's to all".
pairs    both arms on visit, conversion and spend: Qini (spend: whether anything was spent) of ours, and whether its
         bootstrap interval is above 0: where nothing is detectable ours should not claim a ranking.
"""

import argparse
import json
import os
import sys
import tempfile
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd

ARMS = {"men": "Mens E-Mail", "women": "Womens E-Mail"}
CONTROL = "No E-Mail"
RAW = ["recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie", "channel"]
BOOTSTRAP = 200


def splitmix64(values):
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def is_train(frame, seed):
    return splitmix64(frame["row_id"].to_numpy(np.uint64) + np.uint64(seed << 32)) >> np.uint64(63) == 0


def qini(y, score, treated, times=None):
    """qini_auc_score(negative_effect=True), of rows that count so many times: scikit-uplift's own is checked in main."""
    times = np.ones(len(y)) if times is None else times
    order = np.argsort(-score, kind="stable")
    y, t, w, score = y[order], treated[order], times[order], score[order]
    ends = np.r_[np.flatnonzero(np.diff(score)), len(y) - 1]
    at = lambda values: np.cumsum(values)[ends]
    all_, n_t, y_t, y_c = at(w), at(w * t), at(w * t * y), at(w * (1 - t) * y)
    n_c = all_ - n_t
    height = y_t - np.divide(y_c * n_t, n_c, out=np.zeros_like(y_c), where=n_c > 0)
    area = lambda x, h: np.trapezoid(np.r_[0, h], np.r_[0, x])
    perfect = area(np.array([y_t[-1], all_[-1] - y_c[-1], all_[-1]]), np.array([y_t[-1], y_t[-1], height[-1]]))
    line = all_[-1] * height[-1] / 2
    return (area(all_, height) - line) / (perfect - line)


def peers():
    """By name: train features, arm (0 control, 1, 2 ...), outcome, test features -> effects, a column an arm."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    settings = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15, "n_jobs": 1, "verbose": -1, "random_state": 0}
    trees = lambda: LGBMClassifier(**settings)
    lines = lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))

    def t_learner(new):
        def run(x, arm, y, x_test):
            chance = [new().fit(x[arm == a], y[arm == a]).predict_proba(x_test)[:, 1] for a in range(arm.max() + 1)]
            return np.column_stack([one - chance[0] for one in chance[1:]])

        return run

    def s_learner(x, arm, y, x_test):
        arms = range(1, arm.max() + 1)
        given = lambda rows, a: np.column_stack([rows, *[(np.broadcast_to(a, len(rows)) == other).astype(float) for other in arms]])
        model = trees().fit(given(x, arm), y)
        base = model.predict_proba(given(x_test, 0))[:, 1]
        return np.column_stack([model.predict_proba(given(x_test, a))[:, 1] - base for a in arms])

    def causalml_learner(name):
        def run(x, arm, y, x_test):
            import causalml.inference.meta as meta

            share = lambda a: float((arm == a).sum() / ((arm == a) | (arm == 0)).sum())
            chances = lambda rows: {a: np.full(len(rows), share(a)) for a in range(1, arm.max() + 1)}
            learner = getattr(meta, name)(LGBMRegressor(**settings), control_name=0)
            learner.fit(x, arm, y.astype(float), p=chances(x))
            return learner.predict(x_test, p=chances(x_test))

        return run

    def causal_forest(x, arm, y, x_test):
        from econml.dml import CausalForestDML

        forest = CausalForestDML(
            model_y=LGBMRegressor(**settings), model_t=trees(), discrete_treatment=True, n_estimators=200, min_samples_leaf=50,
            n_jobs=1, random_state=0,
        )
        forest.fit(y.astype(float), arm, X=x)
        return forest.const_marginal_effect(x_test).reshape(len(x_test), -1)

    return {
        "logistic_t": t_learner(lines), "s_lightgbm": s_learner, "t_lightgbm": t_learner(trees),
        "x_lightgbm": causalml_learner("BaseXRegressor"), "r_lightgbm": causalml_learner("BaseRRegressor"),
        "dr_lightgbm": causalml_learner("BaseDRRegressor"), "causal_forest_dml": causal_forest,
    }


def our_learner(binary, frame, rows, test_rows, outcome, arms):
    """Ours on the columns as they are, no coding by hand: effects and standard errors, a column an arm."""
    import ours

    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("train.parquet", "test.parquet")]
        for path, chosen in zip(paths, (rows, test_rows)):
            frame.loc[chosen, [*RAW, "segment", outcome]].to_parquet(path, index=False)
        names = [ARMS[arm] for arm in arms]
        effects, errors, _ = ours.run(binary, *paths, RAW, names, control=CONTROL, treatment="segment", outcome=outcome)
    return effects, errors


def rankings(args, frame, x, methods, arm_name, outcome):
    """Scores of each method for one arm against none, test rows of each split."""
    y = (frame[outcome].to_numpy(float) > 0).astype(int)
    is_arm, is_control = (frame["segment"] == ARMS[arm_name]).to_numpy(), (frame["segment"] == CONTROL).to_numpy()
    splits = []
    for seed in range(args.splits):
        train = is_train(frame, seed)
        rows, test = train & (is_arm | is_control), ~train & (is_arm | is_control)
        scores = {name: run(x[rows], is_arm[rows].astype(int), y[rows], x[test])[:, 0] for name, run in methods.items()}
        if args.only != "peers":
            effects, _ = our_learner(args.binary, frame, rows, test, outcome, [arm_name])
            scores["ours"] = effects[:, 0]
        splits.append((y[test], is_arm[test].astype(int), scores))
        print({"seed": seed} | {name: round(float(qini(y[test], score, is_arm[test])), 4) for name, score in scores.items()}, file=sys.stderr)
    return splits


def check_against_sklift(splits):
    from sklift.metrics import qini_auc_score

    y, treated, scores = splits[0]
    for name, score in scores.items():
        theirs = qini_auc_score(y, score, treated, negative_effect=True)
        if abs(theirs - qini(y, score, treated)) > 1e-9:
            raise SystemExit(f"{name}: our Qini is not scikit-uplift's")


def samples_of(splits, names):
    """Mean Qini over splits in bootstrap samples, for each name from the same rows."""
    rng = np.random.default_rng(0)
    means = {name: [] for name in names}
    for _ in range(BOOTSTRAP):
        times = [np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y)).astype(float) for y, _, _ in splits]
        for name in names:
            values = [qini(y, scores[name], treated, once) for (y, treated, scores), once in zip(splits, times)]
            means[name].append(float(np.mean(values)))
    return {name: np.array(values) for name, values in means.items()}


def interval(samples):
    return [float(value) for value in np.quantile(samples, [0.025, 0.975])]


def judge_rankings(splits):
    names = list(splits[0][2])
    means = {name: float(np.mean([qini(y, scores[name], treated) for y, treated, scores in splits])) for name in names}
    samples = samples_of(splits, names)
    answer = {"qini": {name: {"mean": means[name], "interval": interval(samples[name])} for name in names}}
    rivals = [name for name in names if name != "ours"]
    if "ours" in names and rivals:
        best = max(rivals, key=means.get)
        answer |= {"best_peer": best, "ours_less_best": means["ours"] - means[best], "interval": interval(samples["ours"] - samples[best])}
    return answer


def policies(args, frame, x, methods):
    """Doubly robust value of visit of each method's choice less that of men's to all, by split."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    y = frame["visit"].to_numpy(int)
    arm = frame["segment"].map({CONTROL: 0, **{name: place + 1 for place, name in enumerate(ARMS.values())}}).to_numpy()
    gains, shares = {}, {}
    for seed in range(args.splits):
        train = is_train(frame, seed)
        test = ~train
        worth = np.empty((test.sum(), 3))
        for a in range(3):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x[train & (arm == a)], y[train & (arm == a)])
            expected = model.predict_proba(x[test])[:, 1]
            worth[:, a] = expected + (arm[test] == a) * 3 * (y[test] - expected)
        effects = {name: run(x[train], arm[train], y[train], x[test]) for name, run in methods.items()}
        if args.only != "peers":
            effects["ours"], _ = our_learner(args.binary, frame, train, test, "visit", list(ARMS))
        for name, effect in effects.items():
            chosen = np.column_stack([np.zeros(len(effect)), effect]).argmax(axis=1)
            gain = worth[np.arange(len(worth)), chosen] - worth[:, 1]
            gains.setdefault(name, []).append((gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))))
            shares.setdefault(name, []).append(np.bincount(chosen, minlength=3) / len(chosen))
    answer = {}
    for name, values in gains.items():
        means, errors = np.array(values).T
        # Test halves overlap: the standard error of one split, not divided by their number.
        mean, error = float(means.mean()), float(np.sqrt((errors**2).mean()))
        given = dict(zip(["none", *ARMS], np.mean(shares[name], axis=0).round(4).tolist()))
        answer[name] = {"gain_over_men_to_all": mean, "se": error, "interval": [mean - 1.96 * error, mean + 1.96 * error], "gives": given}
    return answer


def main():
    parser = argparse.ArgumentParser(description="Hillstrom's trial: ours beside the peers.")
    parser.add_argument("data")
    parser.add_argument("--binary", default="youhui")
    parser.add_argument("--only", choices=["peers", "ours"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--peers", help="only these, by name, with commas between")
    args = parser.parse_args()
    frame = pd.read_parquet(args.data)
    x = pd.get_dummies(frame[RAW], columns=["history_segment", "zip_code", "channel"]).to_numpy(float)
    methods = {} if args.only == "ours" else peers()
    if args.peers:
        methods = {name: run for name, run in methods.items() if name in args.peers.split(",")}
    splits = rankings(args, frame, x, methods, "women", "visit")
    check_against_sklift(splits)
    answer = {"ranking": judge_rankings(splits), "policy": policies(args, frame, x, methods)}
    if args.only != "peers":
        pairs = [(arm, outcome) for arm in ARMS for outcome in ("visit", "conversion", "spend")]
        judged = {f"{arm}, {outcome}": judge_rankings(rankings(args, frame, x, {}, arm, outcome)) for arm, outcome in pairs}
        answer["pairs"] = {name: one["qini"]["ours"] | {"detectable": one["qini"]["ours"]["interval"][0] > 0} for name, one in judged.items()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
