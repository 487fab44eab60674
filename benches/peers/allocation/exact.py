"""The optimum of small instances as an integer program: HiGHS, and CP-SAT where HiGHS doesn't prove it or they are compared.

    python exact.py FOLDER... [--solver highs|cp-sat|both] [--seconds 60] [--keep]

Prints a JSON line an instance: folder, status (optimal, infeasible, unknown), value (of a plan recounted in whole
numbers), bound (no plan is worth more), lp (the linear relaxation, which no dual bound is below), solver, seconds.
`--keep` writes it to FOLDER/exact.json also and skips folders that have one. Values are whole numbers, so an optimum is
proved where the bound is less than one above it.
"""

import argparse
import json
import math
import os
import sys
import time

import highspy
import numpy as np

from problem import load

INFINITY = highspy.kHighsInf


def rows_of_program(problem):
    """(columns, weights, low, high) of every constraint."""
    for limit in problem.limits:
        yield limit.rows, limit.weight, limit.low, limit.high
    for rows in problem.rows_of_customers().values():
        if len(rows) > problem.per_customer:
            yield np.array(rows), np.ones(len(rows), np.int64), None, problem.per_customer
        for names, most in problem.groups:
            inside = np.array([row for row in rows if problem.promotion[row] in names], int)
            if len(inside) > most:
                yield inside, np.ones(len(inside), np.int64), None, most


def highs_model(problem, seconds):
    model = highspy.Highs()
    for name, value in [("output_flag", False), ("threads", 1), ("time_limit", float(seconds)), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.9)]:
        model.setOptionValue(name, value)
    count = len(problem.value)
    model.addVars(count, np.zeros(count), np.ones(count))
    places = np.arange(count, dtype=np.int32)
    model.changeColsCost(count, places, problem.value.astype(float))
    for columns, weights, low, high in rows_of_program(problem):
        used = weights != 0
        low, high = -INFINITY if low is None else float(low), INFINITY if high is None else float(high)
        model.addRow(low, high, int(used.sum()), columns[used].astype(np.int32), weights[used].astype(float))
    model.changeObjectiveSense(highspy.ObjSense.kMaximize)
    return model, places


def by_highs(problem, seconds):
    model, places = highs_model(problem, seconds)
    model.run()
    relaxed = model.getModelStatus()
    lp = model.getInfo().objective_function_value if relaxed == highspy.HighsModelStatus.kOptimal else None
    model.changeColsIntegrality(len(places), places, np.full(len(places), highspy.HighsVarType.kInteger))
    model.run()
    status, info = model.getModelStatus(), model.getInfo()
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return {"status": "infeasible", "value": None, "bound": None, "lp": lp}
    solution = np.asarray(model.getSolution().col_value)
    chosen = solution > 0.5 if len(solution) == len(places) else np.zeros(len(places), bool)
    if problem.broken(chosen):
        return {"status": "unknown", "value": None, "bound": info.mip_dual_bound, "lp": lp}
    # Of a proof in floating point a whole number is left after rounding down.
    return answer(problem, chosen, math.floor(info.mip_dual_bound + 1e-4)) | {"lp": lp}


def by_cp_sat(problem, seconds):
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    takes = [model.new_bool_var(str(row)) for row in range(len(problem.value))]
    for columns, weights, low, high in rows_of_program(problem):
        total = cp_model.LinearExpr.weighted_sum([takes[column] for column in columns], [int(weight) for weight in weights])
        model.add_linear_constraint(total, cp_model.INT_MIN if low is None else int(low), cp_model.INT_MAX if high is None else int(high))
    model.maximize(cp_model.LinearExpr.weighted_sum(takes, [int(value) for value in problem.value]))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds, solver.parameters.num_workers, solver.parameters.random_seed = seconds, 1, 1
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return {"status": "infeasible", "value": None, "bound": None}
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return {"status": "unknown", "value": None, "bound": solver.best_objective_bound}
    chosen = np.array([solver.boolean_value(take) for take in takes])
    return answer(problem, chosen, math.floor(solver.best_objective_bound + 1e-6))


def answer(problem, chosen, bound):
    value = problem.worth(chosen)
    broken = problem.broken(chosen)
    assert not broken, broken
    return {"status": "optimal" if bound <= value else "unknown", "value": value, "bound": max(bound, value)}


def solve(problem, solver="highs", seconds=60):
    start = time.perf_counter()
    found = {"lp": None}
    if solver != "cp-sat":
        found = by_highs(problem, seconds) | {"solver": "highs"}
    if solver == "cp-sat" or solver == "both" or found["status"] == "unknown":
        other = by_cp_sat(problem, seconds) | {"solver": "cp-sat"}
        settled = {"optimal", "infeasible"}
        if found.get("status") in settled and other["status"] in settled:
            assert (found["status"], found["value"]) == (other["status"], other["value"]), (problem.folder, found, other)
            other["solver"] = "both"
        found |= better(found, other)
    return {"folder": problem.folder} | found | {"seconds": round(time.perf_counter() - start, 3)}


def better(one, other):
    """Of two answers the one that is proved; of two that aren't, the better value and the lower bound."""
    if "status" not in one or other["status"] != "unknown":
        return other
    if one["status"] != "unknown":
        return {}
    known = lambda key: [side[key] for side in (one, other) if side[key] is not None]
    return {"value": max(known("value"), default=None), "bound": min(known("bound"), default=None)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--solver", choices=["highs", "cp-sat", "both"], default="highs")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    for folder in args.folders:
        path = os.path.join(folder, "exact.json")
        if args.keep and os.path.exists(path):
            continue
        line = json.dumps(solve(load(folder), args.solver, args.seconds))
        print(line, flush=True)
        if args.keep:
            with open(path, "w", encoding="utf-8") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
