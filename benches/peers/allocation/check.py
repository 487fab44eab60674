"""Our plans of small instances beside the exact optimum, every plan recounted in whole numbers.

    python check.py DIR/small --binary youhui [--only WORD] [--threads 2]

DIR/small is what instances.py wrote; optima are read from each FOLDER/exact.json (`exact.py --keep`) and are found and
kept where there is none. Prints a JSON line an instance, and a summary:

mean, worst            value / optimum over the instances that have a plan; the bar is a mean of .999
infeasible             plans that break a limit in the recount: the bar is 0
refused                instances that have a plan and were refused: the bar is 0
misreported            plans whose value or cost isn't the recounted one: the bar is 0
bounds_below           upper bounds below the optimum: the bar is 0
contradictory          instances without a plan: [refused with an irreducible set, all]. A set of limits is irreducible where
                       HiGHS finds no plan that keeps all of it, and one for each set that lacks one of them

Ends with 1 where a bar is missed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import highspy

from exact import highs_model, solve
from problem import load

CONFLICT = re.compile(r"any of them could be met without the others: (.*): loosen one of them")
# A limit as the error names it, and which side of which Limit of problem.py that is.
SIDES = {"floor": ("money", "low"), "budget": ("money", "high"), "at_least": ("promotions given", "low"), "count": ("promotions given", "high")}


def optimum_of(problem):
    path = os.path.join(problem.folder, "exact.json")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(solve(problem)) + "\n")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def ours(problem, binary, threads, out):
    command = [binary, "allocate", "--offers", problem.offers_file(), "--budget", str(problem.budget), "--out", out, "--format", "json"]
    if problem.constraints_file():
        command += ["--constraints", problem.constraints_file()]
    environment = os.environ | ({"RAYON_NUM_THREADS": str(threads)} if threads else {})
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done, time.perf_counter() - start


def one_sided(limit, side):
    """The floor or the cap of a limit by itself."""
    return replace(limit, **{"high" if side == "low" else "low": None})


def named(problem, name):
    """The limit that an error names: `budget`, `return_on_spend`, `segment north: floor` ..."""
    subject, _, word = name.rpartition(": ")
    what, side = SIDES.get(word, (None, None)) if subject else (None, None)
    wanted = f"{subject}: {what}" if subject else name
    found = [limit for limit in problem.limits if limit.name == wanted]
    return one_sided(found[0], side or ("low" if name == "return_on_spend" else "high")) if len(found) == 1 else None


def can_be_met(problem, limits):
    """Whether whole customers can keep these limits, what one customer may get among them."""
    model, places = highs_model(replace(problem, limits=limits, value=0 * problem.value), 60)
    model.changeColsIntegrality(len(places), places, [highspy.HighsVarType.kInteger] * len(places))
    model.run()
    return model.getModelStatus() == highspy.HighsModelStatus.kOptimal


def judge_conflict(problem, words):
    """(names, whether they are an irreducible set)."""
    found = CONFLICT.search(words)
    if not found:
        return None, False
    names = [re.sub(r" \([^()]*\)$", "", told) for told in found[1].split("; ")]
    limits = [named(problem, name) for name in names]
    if None in limits:
        return names, False
    parts = [limits[:place] + limits[place + 1 :] for place in range(len(limits))]
    return names, not can_be_met(problem, limits) and all(can_be_met(problem, part) for part in parts)


def near(told, counted):
    """Whether a number of the summary is this one, all but its last binary digits."""
    return abs(told - counted) <= 1e-12 * abs(counted)


def share(value, optimum):
    """value / optimum, in words of what is missing where the optimum isn't above 0."""
    return 1.0 if value == optimum else 1 - (optimum - value) / max(1, abs(optimum))


def judge(problem, binary, threads):
    exact = optimum_of(problem)
    line = {"instance": os.path.basename(problem.folder), "kind": problem.about["kind"], "family": problem.about["family"]}
    line |= {"rows": len(problem.value), "optimum": exact["value"], "proved": exact["status"] != "unknown"}
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "plan.parquet")
        done, seconds = ours(problem, binary, threads, out)
        line |= {"exit": done.returncode, "wall": round(seconds, 3)}
        if done.returncode != 0:
            names, irreducible = judge_conflict(problem, done.stderr) if exact["status"] == "infeasible" else (None, False)
            return line | {"conflict": names, "irreducible": irreducible, "error": done.stderr.strip().splitlines()[-1:]}
        told = json.loads(done.stdout)
        chosen, broken = problem.plan(out)
    value, cost = problem.worth(chosen), sum(int(cost) for cost in problem.cost[chosen])
    line |= {"value": value, "bound": told["upper_bound"], "seconds": told["seconds"], "broken": broken + problem.broken(chosen)}
    line["misreported"] = not (near(told["value"], value) and near(told["cost"], cost))
    if exact["value"] is not None:
        line |= {"share": share(value, exact["value"]), "bound_below": told["upper_bound"] < exact["value"]}
    return line


def summary(lines):
    planned = [line for line in lines if "value" in line]
    judged = [line for line in planned if "share" in line and line["proved"]]
    contradictory = [line for line in lines if line["proved"] and line["optimum"] is None]
    shares = sorted((line["share"], line["instance"]) for line in judged)
    found = {
        "instances": len(lines),
        "proved": sum(line["proved"] for line in lines),
        "mean": sum(one for one, _ in shares) / max(1, len(shares)),
        "worst": shares[:3],
        "at_the_optimum": sum(one == 1.0 for one, _ in shares),
        "infeasible": sum(bool(line["broken"]) for line in planned),
        "refused": sum(line["optimum"] is not None and "value" not in line for line in lines),
        "misreported": sum(line["misreported"] for line in planned),
        "bounds_below": sum(line.get("bound_below", False) for line in planned),
        "contradictory": [sum(line.get("irreducible", False) for line in contradictory), len(contradictory)],
        "seconds": round(sum(line["seconds"] for line in planned), 3),
    }
    zero = ("infeasible", "refused", "misreported", "bounds_below")
    found["passed"] = found["mean"] >= 0.999 and not any(found[name] for name in zero) and len(set(found["contradictory"])) == 1
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="instances whose name has this in it")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    lines = []
    for name in sorted(os.listdir(args.folder)):
        if args.only in name:
            lines.append(judge(load(os.path.join(args.folder, name)), args.binary, args.threads))
            print(json.dumps(lines[-1]), flush=True)
    found = summary(lines)
    print(json.dumps(found))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
