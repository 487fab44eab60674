"""Runs `youhui response fit` and `predict` and reads what they say: the only place that knows their files."""

import json
import os
import subprocess
import tempfile
import time

import numpy as np
import pandas as pd


def read_effects(path, arms):
    """Effects and their standard errors, a row a test row, a column an arm."""
    frame = pd.read_parquet(path)
    return frame[[f"effect_{arm}" for arm in arms]].to_numpy(float), frame[[f"std_error_{arm}" for arm in arms]].to_numpy(float)


def call(command):
    """Runs a command: seconds of wall clock, the most memory it had in MB. Its words are shown if it fails."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        words.seek(0)
        if status != 0:
            raise RuntimeError(f"{' '.join(command[:3])}: {words.read()[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def run(binary, train, test, features, arms, control="control", treatment="treatment", outcome="y", learner="auto", more=()):
    """Fits on one file, predicts another: effects, standard errors, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        model, answer = os.path.join(folder, "model"), os.path.join(folder, "answer.parquet")
        fit = [binary, "response", "fit", "--data", train, "--treatment", treatment, "--control", control, "--outcome", outcome]
        fit += ["--learner", learner, "--features", ",".join(features), "--out", model, "--no-record", *more]
        fit_s, fit_mb = call(fit)
        predict_s, predict_mb = call([binary, "response", "predict", "--model", model, "--data", test, "--out", answer])
        effects, errors = read_effects(answer, arms)
    return effects, errors, {"fit_s": fit_s, "predict_s": predict_s, "peak_mb": max(fit_mb, predict_mb)}


def run_set(binary, folder, data, learner):
    """Ours on one set of suites.py, as peers.py has a line for each peer."""
    from peers import measure

    paths = [os.path.join(folder, name) for name in ("train.parquet", "test.parquet")]
    try:
        effects, errors, took = run(binary, *paths, data.meta["features"], data.arms, learner=learner)
    except (RuntimeError, KeyError) as error:
        return {"error": str(error)[:2000]}
    half = 1.959964 * errors
    by_arm = np.mean((effects - half <= data.tau) & (data.tau <= effects + half), axis=0)
    return measure(effects, data, effects - half, effects + half) | {"coverage_by_arm": by_arm.tolist()} | took


def save(path, line):
    with open(path, "a") as file:
        file.write(json.dumps(line) + "\n")
