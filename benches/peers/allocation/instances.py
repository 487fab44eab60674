"""Writes instances: offers and constraints as `youhui allocate` reads them.

    python instances.py DIR small [--seed 5]
    python instances.py DIR sized [--customers 10000,100000,1000000] [--promotions 3,10]

DIR/small/KIND-FAMILY-NUMBER/ and DIR/sized/N-K/ hold what problem.py describes. What is there is left as it is.

small   243 instances of 3 to 200 customers and 1 to 6 promotions: nine kinds of constraints x five families of offers x
        five, which are feasible by construction, and 18 contradictory ones. Limits stand around a plan drawn at random, so
        that a budget, a cap or a floor binds and yet can be kept; with `floors` they stand so close to it (1 to 5 %) that
        few plans keep them. A third have their rows in no order; in a third customers don't have every promotion.
sized   cost uniform in 50..500, value = cost (.4 + U) + 40 N(0, 1), rounded: value follows cost, as it does in shops. The
        budget is 30 % of what the best offer of each customer costs; each promotion's own is 70 % of what it would spend
        under that budget alone.
"""

import argparse
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = [f"p{number}" for number in range(10)]
SEGMENTS = ["north", "south", "east", "west"]
KINDS = ["budget", "promotion_budget", "promotion_count", "segment_money", "segment_count", "return", "contact", "mixture", "floors"]
FAMILIES = ["plain", "negative", "saving", "ties", "dominating"]
CONTRADICTIONS = ["floor_over_cap", "at_least_over_count", "more_than_customers", "floors_over_budget", "dearer_than_budget", "return_with_floor"]


def costs_and_values(rng, family, count, promotions):
    """Two whole numbers for each customer and promotion."""
    if family == "ties":
        return rng.choice([10, 20, 30], (count, promotions)), rng.choice([20, 40], (count, promotions))
    cost = rng.integers(50, 501, (count, promotions))
    value = cost * (0.4 + rng.random((count, promotions))) + 40 * rng.normal(size=(count, promotions))
    if family == "negative":
        value -= rng.choice([100, 200, 300])
    if family == "saving":
        kind = rng.random((count, promotions))
        cost = np.where(kind < 0.2, -rng.integers(1, 200, cost.shape), np.where(kind < 0.35, 0, cost))
        value = np.where(kind < 0.2, value - 250, value)
    if family == "dominating":
        value[:, 0] = 3 * value[:, 0] + 100
        cost[:, 0] = cost[:, 0] * 4 // 5
    return cost, np.rint(value).astype(np.int64)


class Draft:
    """An instance while it is drawn: offers, and a plan that will keep every limit."""

    def __init__(self, rng, family, per_customer=1, groups=()):
        self.rng, self.per_customer, self.groups = rng, per_customer, groups
        count = int(rng.choice([3, 8, 20, 50, 100, 200]))
        self.names = NAMES[: int(rng.integers(2 if per_customer > 1 else 1, 7))]
        self.cost, self.value = costs_and_values(rng, family, count, len(self.names))
        self.offered = np.ones(self.cost.shape, bool)
        if rng.random() < 1 / 3:
            self.offered = rng.random(self.cost.shape) < 0.6
            self.offered[np.arange(count), rng.integers(0, len(self.names), count)] = True
            # A limit of what nobody is offered is an error and not a limit.
            self.offered[0] |= ~self.offered.any(axis=0)
        self.segment = rng.integers(0, int(rng.integers(2, 5)), count)
        self.said, self.tables = {}, {"promotion": [], "segment": [], "contact": []}
        self.plan = np.zeros(self.cost.shape, bool)

    def draw_plan(self, eager):
        """Each customer gets up to per_customer of the offers that groups allow, better ones likelier."""
        for customer in range(len(self.plan)):
            for _ in range(self.per_customer):
                free = [place for place in np.flatnonzero(self.offered[customer] & ~self.plan[customer]) if self.allows(customer, place)]
                if free and self.rng.random() < eager:
                    pair = self.rng.choice(free, 2)
                    self.plan[customer, max(pair, key=lambda place: self.value[customer, place])] = True

    def allows(self, customer, place):
        got = {self.names[other] for other in np.flatnonzero(self.plan[customer])} | {self.names[place]}
        return all(len(got & set(names)) <= most for names, most in self.groups)

    def spent(self, mask=True):
        return int(self.cost[self.plan & mask].sum())

    def of_promotion(self, place):
        return np.arange(len(self.names))[None, :] == place

    def of_segment(self, place):
        return (self.segment == place)[:, None]

    def segments(self):
        return range(int(self.segment.max()) + 1)

    def above(self, amount, slack):
        return max(0, amount) + int(np.ceil(abs(amount) * slack))

    def write(self, folder, budget, about):
        os.makedirs(folder, exist_ok=True)
        customer, promotion = np.nonzero(self.offered)
        order = np.arange(len(customer))
        if self.rng.random() < 1 / 3:
            self.rng.shuffle(order)
        customer, promotion = customer[order], promotion[order]
        table = {
            "customer": [f"c{number}" for number in customer],
            "promotion": [self.names[place] for place in promotion],
            "value": self.value[customer, promotion].astype(float),
            "cost": self.cost[customer, promotion].astype(np.int64),
            "segment": [SEGMENTS[place] for place in self.segment[customer]],
        }
        pq.write_table(pa.table(table), os.path.join(folder, "offers.parquet"))
        words = toml(self.said, self.tables)
        if words:
            write(os.path.join(folder, "constraints.toml"), words)
        write(os.path.join(folder, "instance.json"), json.dumps({"budget": int(budget)} | about) + "\n")


def toml(said, tables):
    lines = [f"{key} = {json.dumps(value)}" for key, value in said.items()]
    for name, rows in tables.items():
        for row in rows:
            lines += ["", f"[[{name}]]"] + [f"{key} = {json.dumps(value)}" for key, value in row.items()]
    return "\n".join(lines).strip() + "\n" if lines else ""


def write(path, words):
    with open(path, "w", encoding="utf-8") as file:
        file.write(words)


def limit_promotions(draft, money, slack):
    for place in draft.rng.permutation(len(draft.names))[: int(draft.rng.integers(1, len(draft.names) + 1))]:
        mask, one = draft.of_promotion(place), {"name": draft.names[place]}
        if money:
            one["budget"] = draft.above(draft.spent(mask), slack)
        else:
            one[str(draft.rng.choice(["count", "stock"]))] = int((draft.plan & mask).sum())
        draft.tables["promotion"].append(one)


def limit_segments(draft, money, slack):
    for place in draft.segments():
        mask, one = draft.of_segment(place), {"name": SEGMENTS[place]}
        if not mask.any():
            continue
        spent, given = draft.spent(mask), int((draft.plan & mask).sum())
        if money:
            if spent > 0:
                one["floor"] = int(spent * (1 - slack))
            if spent <= 0 or draft.rng.random() < 0.6:
                one["budget"] = draft.above(spent, slack)
        else:
            one["at_least"] = int(given * (1 - slack))
            if draft.rng.random() < 0.6:
                one["count"] = given
        draft.tables["segment"].append(one)


def limit_return(draft, slack):
    spent, worth = draft.spent(), int(draft.value[draft.plan].sum())
    if spent > 0 and worth > 0:
        draft.said["return_on_spend"] = np.floor(100 * (1 - slack) * worth / spent) / 100


def groups_of(rng):
    """per_customer, incompatible, contact: names of the first promotions, which every such instance has."""
    incompatible = [NAMES[:2]] if rng.random() < 0.7 else []
    contact = [{"promotions": NAMES[:2] if rng.random() < 0.3 else NAMES[1:4], "most": int(rng.integers(1, 3))}]
    return int(rng.integers(2, 4)), incompatible, contact


def small(rng, kind, family):
    """A draft that is feasible by construction, and its budget."""
    per_customer, incompatible, contact = 1, [], []
    if kind == "contact" or kind == "mixture" and rng.random() < 0.5:
        per_customer, incompatible, contact = groups_of(rng)
    draft = Draft(rng, family, per_customer)
    known = set(draft.names)
    incompatible = [names for names in incompatible if set(names) <= known]
    contact = [{"promotions": [name for name in one["promotions"] if name in known], "most": one["most"]} for one in contact]
    contact = [one for one in contact if one["promotions"]]
    draft.groups = [(names, 1) for names in incompatible] + [(one["promotions"], one["most"]) for one in contact]
    draft.draw_plan(1.0 if kind == "floors" and rng.random() < 0.5 else rng.uniform(0.2, 0.9))
    slack = rng.uniform(0.01, 0.05) if kind == "floors" else rng.uniform(0.0, 0.4)
    if per_customer > 1:
        draft.said["per_customer"] = per_customer
    if incompatible:
        draft.said["incompatible"] = incompatible
    draft.tables["contact"] = contact
    rules = {
        "promotion_budget": lambda: limit_promotions(draft, True, slack),
        "promotion_count": lambda: limit_promotions(draft, False, slack),
        "segment_money": lambda: limit_segments(draft, True, slack),
        "segment_count": lambda: limit_segments(draft, False, slack),
        "return": lambda: limit_return(draft, slack),
    }
    if kind == "floors":
        rules["segment_money" if rng.random() < 0.6 else "segment_count"]()
    elif kind == "mixture":
        # At most one rule of promotions and of segments: a name is limited in one place.
        for rule in (rng.choice(["promotion_budget", "promotion_count"]), rng.choice(["segment_money", "segment_count"]), "return"):
            if rng.random() < 0.75:
                rules[str(rule)]()
    elif kind in rules:
        rules[kind]()
    return draft, max(1, draft.above(draft.spent(), slack))


def contradictory(rng, kind):
    """A draft that nothing satisfies, and its budget."""
    draft = Draft(rng, "plain")
    draft.draw_plan(0.6)
    name, mask = SEGMENTS[int(draft.segment[0])], draft.of_segment(draft.segment[0])
    customers, offered = int(mask.sum()), draft.offered & mask
    budget = draft.spent() + 500
    cheapest = int(np.where(offered, draft.cost, 10**6).min(axis=1)[mask[:, 0]].sum())
    dearest = int(np.where(offered, draft.cost, 0).max(axis=1).sum())
    if kind == "floor_over_cap":
        draft.tables["segment"] = [{"name": name, "floor": 60, "budget": 49}]
    elif kind == "at_least_over_count":
        draft.tables["segment"] = [{"name": name, "at_least": customers, "count": customers - 1}]
    elif kind == "more_than_customers":
        draft.tables["segment"] = [{"name": name, "at_least": customers + 1}]
    elif kind == "floors_over_budget":
        draft.tables["segment"] = [{"name": name, "floor": max(1, dearest // 2)}]
        budget = dearest // 2 - 1
    elif kind == "dearer_than_budget":
        draft.tables["segment"] = [{"name": name, "at_least": customers}]
        budget = cheapest - 1
    elif kind == "return_with_floor":
        # No offer's value is ever 20 times a cost of 50 and more.
        draft.said["return_on_spend"] = 20.0
        draft.tables["segment"] = [{"name": name, "at_least": 1}]
    return draft, max(budget, 1)


def write_small(folder, seed):
    for kind in KINDS:
        for family in FAMILIES:
            for number in range(5):
                key = [seed, KINDS.index(kind), FAMILIES.index(family), number]
                about = {"kind": kind, "family": family, "seed": key, "feasible": True}
                one(os.path.join(folder, f"{kind}-{family}-{number}"), lambda rng: small(rng, kind, family), about)
    for kind in CONTRADICTIONS:
        for number in range(3):
            about = {"kind": kind, "family": "contradictory", "seed": [seed, 100 + CONTRADICTIONS.index(kind), number], "feasible": False}
            one(os.path.join(folder, f"contradictory-{kind}-{number}"), lambda rng: contradictory(rng, kind), about)


def one(folder, draw, about):
    if os.path.exists(os.path.join(folder, "instance.json")):
        return
    draft, budget = draw(np.random.default_rng(about["seed"]))
    draft.write(folder, budget, about)


def sized_arrays(customers, promotions):
    """cost and value, customers x promotions."""
    rng = np.random.default_rng([7, customers, promotions])
    cost = rng.integers(50, 501, (customers, promotions), dtype=np.int32)
    value = cost * (0.4 + rng.random(cost.shape, dtype=np.float32)) + 40 * rng.standard_normal(cost.shape, dtype=np.float32)
    return cost, np.rint(value).astype(np.int32)


def choice_at(cost, value, price):
    """The best promotion of each customer at a price, and whether it is worth anything."""
    reduced = value - np.float32(price) * cost
    best = reduced.argmax(axis=1)
    return best, np.take_along_axis(reduced, best[:, None], 1)[:, 0] > 0


def spending(cost, value, price):
    """What each promotion spends."""
    best, given = choice_at(cost, value, price)
    paid = np.take_along_axis(cost, best[:, None], 1)[:, 0]
    return np.bincount(best[given], weights=paid[given], minlength=cost.shape[1])


def sized_limits(cost, value):
    """The budget and each promotion's own."""
    budget = int(0.3 * spending(cost, value, 0.0).sum())
    low, high = 0.0, 10.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if spending(cost, value, middle).sum() > budget else (low, middle)
    return budget, [int(0.7 * spent) for spent in spending(cost, value, high)]


def write_sized(folder, customers, promotions):
    if os.path.exists(os.path.join(folder, "instance.json")):
        return
    os.makedirs(folder, exist_ok=True)
    cost, value = sized_arrays(customers, promotions)
    budget, own = sized_limits(cost, value)
    names = pa.array(NAMES[:promotions])
    schema = pa.schema([("customer", pa.string()), ("promotion", pa.dictionary(pa.int32(), pa.string())), ("value", pa.float64()), ("cost", pa.int64())])
    with pq.ParquetWriter(os.path.join(folder, "offers.parquet"), schema) as file:
        step = max(1, 1_000_000 // promotions)
        for start in range(0, customers, step):
            stop = min(start + step, customers)
            customer = pa.array([f"c{number}" for number in range(start, stop) for _ in range(promotions)])
            place = pa.array(np.tile(np.arange(promotions, dtype=np.int32), stop - start))
            columns = [customer, pa.DictionaryArray.from_arrays(place, names)]
            columns += [pa.array(value[start:stop].ravel().astype(float)), pa.array(cost[start:stop].ravel().astype(np.int64))]
            file.write_table(pa.table(columns, schema=schema))
    tables = {"promotion": [{"name": name, "budget": amount} for name, amount in zip(NAMES, own)]}
    write(os.path.join(folder, "constraints.toml"), toml({}, tables))
    about = {"budget": budget, "kind": "sized", "customers": customers, "promotions": promotions, "feasible": True}
    write(os.path.join(folder, "instance.json"), json.dumps(about) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("what", choices=["small", "sized"])
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--customers", default="10000,100000,1000000")
    parser.add_argument("--promotions", default="3,10")
    args = parser.parse_args()
    folder = os.path.join(args.folder, args.what)
    if args.what == "small":
        return write_small(folder, args.seed)
    for customers in map(int, args.customers.split(",")):
        for promotions in map(int, args.promotions.split(",")):
            write_sized(os.path.join(folder, f"{customers}-{promotions}"), customers, promotions)


if __name__ == "__main__":
    main()
