"""An instance as its folder holds it, and the recount of a plan in whole numbers.

FOLDER/offers.parquet    customer, promotion (text), value (float, whole numbers), cost (integer, minor units), segment (text)
FOLDER/constraints.toml  what there is beside the budget; absent where there is only a budget
FOLDER/instance.json     budget, kind, family, seed

Nothing here is shared with the product: limits are read from the TOML file once more, sums are Python's integers.
"""

import json
import os
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq


@dataclass
class Limit:
    """low <= sum over rows of weight <= high; None where a side is open. Whole numbers."""

    name: str
    rows: np.ndarray
    weight: np.ndarray
    low: int | None = None
    high: int | None = None

    def total(self, chosen):
        """`chosen`: a Boolean a row."""
        return sum(int(weight) for weight in self.weight[chosen[self.rows]])

    def broken(self, chosen):
        total = self.total(chosen)
        if self.high is not None and total > self.high:
            return f"{self.name}: {total} > {self.high}"
        if self.low is not None and total < self.low:
            return f"{self.name}: {total} < {self.low}"
        return None


@dataclass
class Problem:
    folder: str
    budget: int
    customer: np.ndarray  # names, one a row
    promotion: np.ndarray
    segment: np.ndarray | None
    value: np.ndarray  # int64
    cost: np.ndarray  # int64
    per_customer: int = 1
    limits: list[Limit] = field(default_factory=list)
    # (names of promotions, how many of them a customer may get)
    groups: list[tuple[frozenset, int]] = field(default_factory=list)
    about: dict = field(default_factory=dict)

    def offers_file(self):
        return os.path.join(self.folder, "offers.parquet")

    def constraints_file(self):
        path = os.path.join(self.folder, "constraints.toml")
        return path if os.path.exists(path) else None

    def row_of(self):
        return {key: row for row, key in enumerate(zip(self.customer.tolist(), self.promotion.tolist()))}

    def rows_of_customers(self):
        rows = {}
        for row, customer in enumerate(self.customer.tolist()):
            rows.setdefault(customer, []).append(row)
        return rows

    def worth(self, chosen):
        return sum(int(value) for value in self.value[chosen])

    def broken(self, chosen):
        """Words for every constraint that a plan breaks; `chosen`: a Boolean a row."""
        words = [limit.broken(chosen) for limit in self.limits]
        for customer, rows in self.rows_of_customers().items():
            got = [str(self.promotion[row]) for row in rows if chosen[row]]
            if len(got) > self.per_customer:
                words.append(f"per_customer: {customer} gets {len(got)}")
            for names, most in self.groups:
                if len(names.intersection(got)) > most:
                    words.append(f"at most {most} of {sorted(names)}: {customer} gets {got}")
        return [word for word in words if word]

    def plan(self, path):
        """(chosen, words) from a file of `customer`, `promotion`; rows that were never offered are in the words."""
        table = pq.read_table(path)
        row_of, chosen, words = self.row_of(), np.zeros(len(self.value), bool), []
        for customer, promotion in zip(table["customer"].to_pylist(), table["promotion"].to_pylist()):
            if promotion is None or promotion == "":
                continue
            row = row_of.get((str(customer), str(promotion)))
            if row is None:
                words.append(f"{customer} gets {promotion}, which was not offered")
            elif chosen[row]:
                words.append(f"{customer} gets {promotion} twice")
            else:
                chosen[row] = True
        return chosen, words


def load(folder):
    with open(os.path.join(folder, "instance.json"), encoding="utf-8") as file:
        about = json.load(file)
    table = pq.read_table(os.path.join(folder, "offers.parquet"))
    column = lambda name: np.asarray(table[name].to_pylist(), dtype=str)
    value = table["value"].to_numpy()
    assert np.all(value == np.rint(value)), "values are whole numbers, so that the optimum is exact"
    problem = Problem(
        folder=folder,
        budget=about["budget"],
        customer=column("customer"),
        promotion=column("promotion"),
        segment=column("segment") if "segment" in table.column_names else None,
        value=np.rint(value).astype(np.int64),
        cost=table["cost"].to_numpy().astype(np.int64),
        about=about,
    )
    constrain(problem)
    return problem


def constrain(problem):
    every = np.arange(len(problem.value))
    problem.limits.append(Limit("budget", every, problem.cost, high=problem.budget))
    if problem.constraints_file() is None:
        return
    with open(problem.constraints_file(), "rb") as file:
        said = tomllib.load(file, parse_float=Decimal)
    problem.per_customer = said.get("per_customer", 1)
    problem.groups += [(frozenset(names), 1) for names in said.get("incompatible", [])]
    problem.groups += [(frozenset(one["promotions"]), one["most"]) for one in said.get("contact", [])]
    if "return_on_spend" in said:
        ratio = Fraction(said["return_on_spend"])
        weight = problem.value * ratio.denominator - problem.cost * ratio.numerator
        problem.limits.append(Limit("return_on_spend", every, weight, low=0))
    for one in said.get("promotion", []):
        rows = np.flatnonzero(problem.promotion == one["name"])
        both(problem, f"promotion {one['name']}", rows, None, one.get("budget"), None, one.get("count", one.get("stock")))
    for one in said.get("segment", []):
        rows = np.flatnonzero(problem.segment == one["name"])
        both(problem, f"segment {one['name']}", rows, one.get("floor"), one.get("budget"), one.get("at_least"), one.get("count"))


def both(problem, name, rows, floor, budget, at_least, count):
    if floor is not None or budget is not None:
        problem.limits.append(Limit(f"{name}: money", rows, problem.cost[rows], low=floor, high=budget))
    if at_least is not None or count is not None:
        problem.limits.append(Limit(f"{name}: promotions given", rows, np.ones(len(rows), np.int64), low=at_least, high=count))
