"""Response functions for the closed loop, fitted on Hillstrom's e-mail trial.

    python fit.py hillstrom_dev.parquet

A logistic regression of visits on context, each of the three arms with its own; the contexts as a table of how often each comes. Needs
pandas, pyarrow, scikit-learn. Prints what `crates/decision/tests/closed_loop/shop.rs` holds.
"""
import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

rows = pd.read_parquet(sys.argv[1])
print(rows.columns.tolist(), len(rows), file=sys.stderr)
arm = rows["segment"].map({"No E-Mail": 0, "Mens E-Mail": 1, "Womens E-Mail": 2})
recency = pd.cut(rows["recency"], [0, 3, 7, 12], labels=[2, 5, 10]).astype(int)
history = pd.cut(rows["history"], [0, 100, 350, 1e9], labels=[50, 200, 600]).astype(int)
cells = pd.DataFrame({"mens": rows["mens"], "womens": rows["womens"], "newbie": rows["newbie"], "recency": recency, "history": history})
context = np.column_stack([np.ones(len(rows)), cells["mens"], cells["womens"], cells["newbie"], cells["recency"] / 10, np.log(cells["history"] / 50) / 2.5])
for number in range(3):
    fit = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000).fit(context[arm == number], rows["visit"][arm == number])
    print("    [" + ", ".join(f"{weight:.4f}" for weight in fit.coef_[0]) + "],")
for cell, count in cells.groupby(list(cells.columns)).size().items():
    print(f"    ({', '.join(map(str, cell))}, {count}),")
