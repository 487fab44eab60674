"""Golden numbers of `lifetimes` 0.11.3 for tests/lifetime.rs and tests/slow_cdnow.rs.

    python3 -m venv v && v/bin/pip install lifetimes==0.11.3 autograd scipy pandas numpy
    v/bin/python lifetimes_oracle.py path/to/CDNOW_master.txt
"""
import sys

import numpy as np
import pandas as pd
from scipy.special import hyp2f1
import lifetimes
from lifetimes import BetaGeoFitter, GammaGammaFitter

print("numpy", np.__version__, "lifetimes", lifetimes.__version__)


def small():
    """The same 600 customers that tests/lifetime.rs makes, by the same formula."""
    state = 1
    rows = []

    def below(bound):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % bound

    for i in range(600):
        age = 100 + below(263)
        # Every customer has a mean gap in days and a chance of leaving after an order.
        gap, leaves = [12, 25, 60, 150, 400, 900][below(6)], [2, 8, 20, 45, 80][below(5)]
        frequency, recency, day = 0, 0, 0
        while below(100) >= leaves:
            day += 1 + below(2 * gap)
            if day > age:
                break
            frequency, recency = frequency + 1, day
        monetary = 0.0 if frequency == 0 else 4.0 + below(71) * (below(23) + 1) / 16.0
        rows.append((frequency, recency, age, monetary))
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary"])


def cdnow(path):
    """Frequency, recency and age in days up to 1997-09-30, after the paper's split."""
    data = pd.read_csv(path, sep=r"\s+", header=0, names=["id", "date", "cds", "value"])
    data["date"] = pd.to_datetime(data["date"], format="%Y%m%d")
    end = pd.Timestamp("1997-09-30")
    data = data[data["date"] <= end]
    days = data.groupby(["id", "date"])["value"].sum().reset_index()
    rows = []
    for _, one in days.groupby("id"):
        first, last = one["date"].iloc[0], one["date"].iloc[-1]
        values = one["value"].to_numpy()[1:]
        values_mean = values.mean() if len(values) else 0.0
        rows.append((len(one) - 1, (last - first).days, (end - first).days, values_mean))
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary"])


def report(name, data, customers, horizon):
    f, r, t, m = (data[c].to_numpy() for c in data.columns)
    model = BetaGeoFitter(penalizer_coef=0.0).fit(f, r, t)
    print(f"== {name}: {len(data)} customers, {int(f.sum())} repeats")
    print("r alpha a b:", [float(x) for x in model.params_[["r", "alpha", "a", "b"]]])
    print("log-likelihood (scaled time):", -model._negative_log_likelihood_ * len(data))
    alive = model.conditional_probability_alive(f, r, t)
    expected = model.conditional_expected_number_of_purchases_up_to_time(horizon, f, r, t)
    print("sums:", float(alive.sum()), float(expected.sum()))
    known = (f > 0) & (m > 0)
    money = GammaGammaFitter(penalizer_coef=0.0).fit(f[known], m[known])
    print("p q v:", [float(x) for x in money.params_[["p", "q", "v"]]], "of", int(known.sum()))
    print("log-likelihood:", -money._negative_log_likelihood_ * known.sum())
    value = money.conditional_expected_average_profit(pd.Series(f), pd.Series(np.where(known, m, 0)))
    life = money.customer_lifetime_value(
        model, pd.Series(f), pd.Series(r), pd.Series(t), pd.Series(np.where(known, m, 0)),
        time=12, discount_rate=1.0002**30 - 1, freq="D")
    for i in customers:
        print(f"({i}, {alive[i]!r}, {expected[i]!r}, {value[i]!r}, {life[i]!r}),")


for a, b, c, z in [(0.5, 1.2, 3.4, 0.3), (-0.7, -0.4, 2.2, 0.95), (5.2, -0.3, 8.1, 0.99),
                   (0.4, 1.6, 0.3, 0.97), (-1.5, 0.8, -0.4, 0.6), (2.0, -0.21, 12.5, 0.999)]:
    print((a, b, c, z, float(hyp2f1(a, b, c, z))))
report("small", small(), [0, 2, 4, 9, 14, 17, 33, 598], 39 * 7)
if len(sys.argv) > 1:
    report("CDNOW", cdnow(sys.argv[1]), [0, 1, 2, 3, 4, 5, 8, 100, 5000, 12345, 23569], 39 * 7)
