"""Ten million users with a covariate: sums by arm, CUPED and the test. gbstats on pandas, tea-tasting on polars, and ours.

    python speed_experiment.py --gbstats gb/bin/python --tea tea/bin/python --binary target/release/examples/experiment_speed

One after the other, each in a process of its own on rows of the same shape (revenue f64, revenue before f64, arm) that are
already in memory. Least seconds of the runs after one to warm up; ratios are of those to ours.
"""

import argparse
import json
import resource
import subprocess
import sys
import time


def columns(rows):
    import numpy as np

    rng = np.random.default_rng(20261201)
    before = 20.0 + 5.0 * rng.standard_normal(rows)
    arm = rng.integers(0, 2, rows).astype("int32")
    revenue = 0.6 * before + 3.0 * rng.standard_normal(rows) + 0.01 * arm
    return {"revenue": revenue, "before": before, "variation": arm}


def gbstats(rows):
    """What GrowthBook's SQL does, in pandas, and its engine on the sums."""
    import pandas as pd
    from gbstats.gbstats import process_single_metric
    from gbstats.models.settings import AnalysisSettingsForStatsEngine, MetricSettingsForStatsEngine

    data = pd.DataFrame(columns(rows))
    metric = MetricSettingsForStatsEngine(id="revenue", name="revenue", statistic_type="mean_ra", main_metric_type="count", covariate_metric_type="count")
    settings = AnalysisSettingsForStatsEngine(var_names=["0", "1"], var_ids=["0", "1"], weights=[0.5, 0.5], stats_engine="frequentist")

    def run():
        products = pd.DataFrame({
            "variation": data["variation"], "main_sum": data["revenue"], "main_sum_squares": data["revenue"] ** 2,
            "covariate_sum": data["before"], "covariate_sum_squares": data["before"] ** 2,
            "main_covariate_sum_product": data["revenue"] * data["before"],
        }, copy=False)
        groups = products.groupby("variation")
        sums = groups.sum()
        sums["users"] = sums["count"] = groups.size()
        sums = sums.reset_index()
        sums["variation"] = sums["variation"].astype(str)
        sums["dimension"] = "all"
        answer = process_single_metric(sums.to_dict("records"), metric, [settings])
        result = answer.analyses[0].dimensions[0].variations[1]
        return [result.expected, *result.ci, result.pValue]

    return run


def tea(rows):
    import polars as pl
    import tea_tasting as tt

    data = pl.DataFrame(columns(rows))
    experiment = tt.Experiment(revenue=tt.Mean("revenue", "before"), variant="variation")

    def run():
        result = experiment.analyze(data, control=0)["revenue"]
        return [result.rel_effect_size, result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper, result.pvalue]

    return run


def measure(make, rows, runs):
    run = make(rows)
    answer, times = run(), []
    for _ in range(runs):
        start = time.perf_counter()
        answer = run()
        times.append(time.perf_counter() - start)
    times.sort()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"least_seconds": times[0], "median_seconds": times[len(times) // 2], "peak_mb": round(peak), "answer": answer}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", choices=["gbstats", "tea"], help="one peer, in this process")
    parser.add_argument("--gbstats", help="a Python with gbstats")
    parser.add_argument("--tea", help="a Python with tea-tasting and polars")
    parser.add_argument("--binary", help="our example, built with --release")
    asked = parser.parse_args()
    if asked.peer:
        print(json.dumps(measure({"gbstats": gbstats, "tea": tea}[asked.peer], asked.rows, asked.runs)))
        return
    numbers = ["--rows", str(asked.rows), "--runs", str(asked.runs)]
    commands = {
        "ours": [asked.binary, str(asked.rows), str(asked.runs)],
        "gbstats on pandas": [asked.gbstats, __file__, "--peer", "gbstats", *numbers],
        "tea-tasting on polars": [asked.tea, __file__, "--peer", "tea", *numbers],
        "ours, again": [asked.binary, str(asked.rows), str(asked.runs)],
    }
    results = {name: json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for name, command in commands.items()}
    ours = min(results["ours"]["least_seconds"], results["ours, again"]["least_seconds"])
    for name, result in results.items():
        print(f"{name:24} {result['least_seconds']:.3f} s least, {result['median_seconds']:.3f} s median, {result['least_seconds'] / ours:.1f} x ours", file=sys.stderr)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
