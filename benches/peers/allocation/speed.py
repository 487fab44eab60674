"""Seconds of ours and of peers on the same instances, one after the other in one run.

    python speed.py DIR [--customers 100000,1000000] [--promotions 10] [--limits budget,own] [--peers ipm,pdlp,pdlp-4,descent]
                        [--seconds 480] [--threads 2]

Instances are the `sized` ones of instances.py; `budget` has the whole budget only, `own` a budget of each promotion also.
Arrays go to DIR/arrays/N-K-LIMITS, where `cargo run --release --example descent` reads them for ours and for synchronous
coordinate descent (how that is written stands in its head). Building a model isn't counted for anybody; ours is counted
from arrays in memory to choices of whole customers, recounted.

ipm      HiGHS's interior point on the linear relaxation without crossover, which would only add time
pdlp     OR-tools' PDLP on the same relaxation, relative tolerance 1e-6, which is its own default
pdlp-4   the same with 1e-4

A peer that is stopped after --seconds is reported with `"stopped": true`, and its ratio is one that it has at least.
Prints a JSON line for each of who x customers x limits: seconds, value, ratio (peer / ours), and `behind`, the share of our
upper bound that its value is missing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np

from instances import sized_arrays, sized_limits

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")


class Instance:
    def __init__(self, customers, promotions, limits):
        self.customers, self.promotions, self.limits = customers, promotions, limits
        self.cost, self.value = sized_arrays(customers, promotions)
        self.budget, own = sized_limits(self.cost, self.value)
        self.own = own if limits == "own" else []

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name, array in (("value", self.value), ("cost", self.cost)):
            array.T.astype("<i4").tofile(os.path.join(folder, f"{name}.i32"))
        about = {"customers": self.customers, "promotions": self.promotions, "budget": self.budget, "own": self.own}
        with open(os.path.join(folder, "limits.json"), "w", encoding="utf-8") as file:
            json.dump(about, file)

    def columns(self):
        """(value, start, row, weight, high): the relaxation by columns; rows are customers, the budget, own budgets."""
        count = self.customers * self.promotions
        each = 3 if self.own else 2
        row, weight = np.empty((count, each), np.int32), np.ones((count, each))
        row[:, 0] = np.repeat(np.arange(self.customers, dtype=np.int32), self.promotions)
        row[:, 1] = self.customers
        weight[:, 1:] = self.cost.ravel()[:, None]
        if self.own:
            row[:, 2] = self.customers + 1 + np.tile(np.arange(self.promotions, dtype=np.int32), self.customers)
        high = np.concatenate([np.ones(self.customers), [self.budget], self.own]).astype(float)
        start = np.arange(0, count * each + 1, each)
        return self.value.ravel().astype(float), start, row.ravel(), weight.ravel(), high


def by_ipm(instance, seconds, threads):
    import highspy

    value, start, row, weight, high = instance.columns()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(value), len(high)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = value, np.zeros(len(value)), np.ones(len(value))
    lp.row_lower_, lp.row_upper_ = np.full(len(high), -highspy.kHighsInf), high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = start.astype(np.int32), row, weight
    model = highspy.Highs()
    said = {"output_flag": False, "solver": "ipm", "run_crossover": "off", "threads": threads, "time_limit": float(seconds)}
    for name, setting in said.items():
        model.setOptionValue(name, setting)
    model.passModel(lp)
    begin = time.perf_counter()
    model.run()
    taken = time.perf_counter() - begin
    done = model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return {"seconds": taken, "value": model.getInfo().objective_function_value if done else None, "stopped": not done, "said": str(model.getModelStatus())}


def by_pdlp(instance, seconds, threads, tolerance=1e-6):
    import scipy.sparse
    from ortools.pdlp import solve_log_pb2, solvers_pb2
    from ortools.pdlp.python import pdlp

    value, start, row, weight, high = instance.columns()
    program = pdlp.QuadraticProgram()
    program.objective_vector = -value
    program.constraint_matrix = scipy.sparse.csc_matrix((weight, row, start), shape=(len(high), len(value)))
    program.constraint_lower_bounds, program.constraint_upper_bounds = np.full(len(high), -np.inf), high
    program.variable_lower_bounds, program.variable_upper_bounds = np.zeros(len(value)), np.ones(len(value))
    settings = solvers_pb2.PrimalDualHybridGradientParams(num_threads=threads)
    optimality = settings.termination_criteria.simple_optimality_criteria
    optimality.eps_optimal_relative = optimality.eps_optimal_absolute = tolerance
    settings.termination_criteria.time_sec_limit = seconds
    begin = time.perf_counter()
    result = pdlp.primal_dual_hybrid_gradient(program, settings)
    taken = time.perf_counter() - begin
    reason = result.solve_log.termination_reason
    done = reason == solve_log_pb2.TERMINATION_REASON_OPTIMAL
    worth = float(value @ result.primal_solution) if done else None
    return {"seconds": taken, "value": worth, "stopped": not done, "said": solve_log_pb2.TerminationReason.Name(reason)}


def by_example(folder, threads):
    command = ["cargo", "run", "--quiet", "--release", "-p", "youhui-allocation", "--example", "descent", "--", folder, f"threads={threads}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def measure(args, instance, folder):
    instance.write(folder)
    found = by_example(os.path.abspath(folder), args.threads)
    mine = found["ours"]
    assert mine["kept"], "a limit is broken"
    about = {"customers": instance.customers, "promotions": instance.promotions, "limits": instance.limits}

    def told(who, line):
        value = line.get("value")
        line["behind"] = None if value is None else (mine["bound"] - value) / mine["bound"]
        line["ratio"] = line["seconds"] / mine["seconds"]
        print(json.dumps(about | {"who": who} | line), flush=True)

    told("ours", mine)
    if "descent" in args.peers.split(","):
        told("descent, together", found["together"])
        told("descent, in turn", found["in_turn"])
    for name, run in (("ipm", by_ipm), ("pdlp", by_pdlp), ("pdlp-4", partial(by_pdlp, tolerance=1e-4))):
        if name in args.peers.split(","):
            told(name, run(instance, args.seconds, args.threads))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--customers", default="100000,1000000")
    parser.add_argument("--promotions", default="10")
    parser.add_argument("--limits", default="budget,own")
    parser.add_argument("--peers", default="ipm,pdlp,pdlp-4,descent")
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    for customers in map(int, args.customers.split(",")):
        for promotions in map(int, args.promotions.split(",")):
            for limits in args.limits.split(","):
                folder = os.path.join(args.folder, "arrays", f"{customers}-{promotions}-{limits}")
                measure(args, Instance(customers, promotions, limits), folder)


if __name__ == "__main__":
    main()
