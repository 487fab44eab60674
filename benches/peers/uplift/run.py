"""Ours beside the peers, on data of which the true effect is known.

    python run.py DIR [--binary youhui] [--suite nie_wager,zhao,dose] [--seeds 20] [--only peers|ours]
                      [--peers NAME,...] [--learner auto] [--other-python PYTHON] [--jobs 1]

DIR keeps the data (DIR/data), the peers' results (DIR/peers.jsonl: what is there is not computed again) and ours
(DIR/ours.jsonl, computed anew at each run unless --only peers). `--other-python` is an interpreter of a second
environment, for peers that can't be installed beside the others. Standard output: one JSON object. Standard error: tables.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import stats

import ours
from peers import PEERS, Data, known
from suites import SETUPS, write

HERE = os.path.dirname(os.path.abspath(__file__))


def run_peers(args, path):
    for python in [sys.executable, *([args.other_python] if args.other_python else [])]:
        command = [python, os.path.join(HERE, "peers.py"), os.path.join(args.folder, "data"), "--out", path]
        command += ["--suite", args.suite, "--seeds", str(args.seeds), "--peers", args.peers]
        subprocess.run(command, check=True, stdout=sys.stderr)


def run_ours(args, path):
    """All sets, a few at a time; the file has them in order."""
    sets = [(suite, setup, seed) for suite in args.suite.split(",") for seed in range(args.seeds) for setup in SETUPS[suite]]

    def one(key):
        folder = write(os.path.join(args.folder, "data"), *key)
        line = dict(zip(("suite", "setup", "seed"), key)) | {"peer": "ours"} | ours.run_set(args.binary, folder, Data(folder), args.learner)
        print(json.dumps(line), file=sys.stderr)
        return line

    if os.path.exists(path):
        os.remove(path)
    with ThreadPoolExecutor(args.jobs) as pool:
        for line in pool.map(one, sets):
            ours.save(path, line)


def mean_and_error(values):
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return {"mean": float(values.mean()), "se": float(error), "n": len(values)}


def paired(ours_values, peer_values):
    """Mean difference and its 95 % interval (Student's t over seeds)."""
    difference = np.asarray(ours_values) - np.asarray(peer_values)
    answer = mean_and_error(difference)
    half = stats.t.ppf(0.975, len(difference) - 1) * answer["se"] if len(difference) > 1 else float("nan")
    return answer | {"low": answer["mean"] - half, "high": answer["mean"] + half}


def mean_ranks(results, sets, methods):
    """Mean rank by error over sets; equal errors share their ranks."""
    rows = [[results[(*key, method)]["sqrt_pehe"] for method in methods] for key in sets]
    return dict(zip(methods, stats.rankdata(rows, axis=1).mean(axis=0).tolist()))


def summary(results, suite, seeds):
    """Everything that the bars ask of one suite, over the sets that every method has finished."""
    here = {key: line for key, line in results.items() if key[0] == suite and key[2] < seeds}
    methods = sorted({key[3] for key in here})
    setups = {}
    for setup in SETUPS[suite]:
        rows = {}
        for method in methods:
            lines = {key[2]: line for key, line in here.items() if key[1] == setup and key[3] == method}
            if lines:
                figures = ("sqrt_pehe", "regret", "coverage", "fit_s", "predict_s", "peak_mb")
                rows[method] = {
                    name: mean_and_error([line[name] for line in lines.values()])
                    for name in figures if all(name in line for line in lines.values())
                }
                mine = {key[2]: line for key, line in here.items() if key[1] == setup and key[3] == "ours"}
                shared = sorted(set(mine) & set(lines))
                if method != "ours" and shared:
                    for name in ("sqrt_pehe", "regret"):
                        if all(name in lines[seed] and name in mine[seed] for seed in shared):
                            pairs = [[from_[seed][name] for seed in shared] for from_ in (mine, lines)]
                            rows[method][f"ours_minus_this_{name}"] = paired(*pairs)
        setups[setup] = rows
    sets = sorted({key[:3] for key in here})
    full = [key for key in sets if all((*key, method) in here for method in methods)]
    answer = {"setups": setups, "sets_of_all": len(full), "mean_rank": mean_ranks(here, full, methods) if full else {}}
    if "ours" in methods:
        answer["ratio_to_best_peer"] = {
            setup: rows["ours"]["sqrt_pehe"]["mean"] / min(row["sqrt_pehe"]["mean"] for name, row in rows.items() if name != "ours")
            for setup, rows in setups.items() if "ours" in rows and len(rows) > 1
        }
    return answer


def table(suite, answer):
    print(f"\n{suite}: mean (standard error) over seeds; ranks over the {answer['sets_of_all']} sets that all have", file=sys.stderr)
    show = lambda value: f"{value['mean']:.3f} ({value['se']:.3f})" if value else "-"
    setups = list(answer["setups"])
    print("method".ljust(20) + "rank".rjust(6) + "".join(f"{'PEHE^.5 ' + s:>18}" for s in setups) + "".join(f"{'regret ' + s:>18}" for s in setups)
          + "".join(f"{'coverage ' + s:>20}" for s in setups) + f"{'fit s':>10}{'MB':>7}", file=sys.stderr)
    methods = sorted({method for rows in answer["setups"].values() for method in rows}, key=lambda m: answer["mean_rank"].get(m, 99))
    for method in methods:
        rows = [answer["setups"][setup].get(method, {}) for setup in setups]
        rank = answer["mean_rank"].get(method)
        cells = method.ljust(20) + (f"{rank:6.2f}" if rank else " " * 6)
        cells += "".join(f"{show(row.get('sqrt_pehe')):>18}" for row in rows) + "".join(f"{show(row.get('regret')):>18}" for row in rows)
        cells += "".join(f"{show(row.get('coverage')):>20}" for row in rows)
        took = [row[name]["mean"] for name in ("fit_s", "peak_mb") for row in rows if name in row]
        half = len(took) // 2
        print(cells + (f"{np.mean(took[:half]):10.2f}{np.max(took[half:]):7.0f}" if took else ""), file=sys.stderr)
    for setup, ratio in answer.get("ratio_to_best_peer", {}).items():
        print(f"ours / best peer in {setup}: {ratio:.3f}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description="Ours beside the peers.")
    parser.add_argument("folder")
    parser.add_argument("--binary", default="youhui")
    parser.add_argument("--suite", default="nie_wager,zhao,dose")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=["peers", "ours"])
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--learner", default="auto")
    parser.add_argument("--other-python")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    peers_path, ours_path = (os.path.join(args.folder, name) for name in ("peers.jsonl", "ours.jsonl"))
    if args.only != "ours":
        run_peers(args, peers_path)
    if args.only != "peers":
        run_ours(args, ours_path)
    results = known(peers_path) | known(ours_path)
    wanted = {*args.peers.split(","), "ours"}
    results = {key: line for key, line in results.items() if key[3] in wanted}
    answer = {suite: summary(results, suite, args.seeds) for suite in args.suite.split(",")}
    for suite, part in answer.items():
        table(suite, part)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
