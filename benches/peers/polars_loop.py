"""The peer of `cargo bench --bench peers`: import and profile features in polars.

usage: polars_loop.py import TRANSACTIONS OUT | features EVENTS PRODUCTS

Prints one JSON object: seconds of the work without starting Python, and sums by which both sides
are known to have computed the same.
"""

import json
import sys
import time

import polars as pl

DAY = 86_400_000_000


def imported(source, out):
    """Reads, checks what our import checks, makes money whole minor units and a key for each event, sorts and writes."""
    minor = lambda name: (pl.col(name) * 100).round().cast(pl.Int64)
    events = (
        pl.read_parquet(source)
        .filter(
            pl.all_horizontal(pl.col("household_id", "transaction_timestamp", "product_id", "basket_id").is_not_null()),
            pl.col("quantity") >= 0,
            pl.col("sales_value") >= 0,
            (pl.col("quantity") > 0) | (minor("sales_value") > 0),
        )
        .select(
            subject="household_id",
            time=pl.col("transaction_timestamp").cast(pl.Datetime("us")),
            product=pl.col("product_id").cast(pl.String).cast(pl.Categorical),
            order="basket_id",
            quantity=pl.col("quantity").cast(pl.Int64),
            amount=minor("sales_value"),
            discount=minor("retail_disc") + minor("coupon_match_disc"),
            vendor_discount=minor("coupon_disc"),
        )
        .with_columns(event_id=pl.struct("subject", "time", "product", "order", "quantity", "amount").hash())
        .sort("subject", "time", "event_id")
    )
    events.write_parquet(out, compression="zstd")
    return {"rows": events.height}


def features(source, products):
    """The named features of every customer."""
    names = pl.read_parquet(products).select(
        product=pl.col("product_id").cast(pl.String), category="product_category", brand=pl.concat_str("brand", "manufacturer_id")
    )
    lines = pl.read_parquet(source).with_columns(pl.col("product").cast(pl.String)).join(names, on="product", how="left")
    end = lines["time"].max().timestamp() * 1e6 + 1
    lines = lines.with_columns(days=(end - pl.col("time").cast(pl.Int64)) / DAY, discounted=(pl.col("discount") > 0) | (pl.col("vendor_discount") > 0))
    norm = lines.group_by("category").agg(norm=pl.col("discounted").mean())
    orders = (
        lines.group_by("subject", "order")
        .agg(pl.col("time").min(), pl.col("days").max(), pl.col("amount").sum(), pl.col("discount").sum(), pl.col("vendor_discount").sum())
        .sort("subject", "time")
    )
    local = pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    gap = (pl.col("time").diff().cast(pl.Int64) / DAY)
    recent = lambda span, what: what.filter(pl.col("days") <= span)
    table = orders.group_by("subject").agg(
        orders=pl.len(),
        amount_sum=pl.col("amount").sum(),
        discount_sum=pl.col("discount").sum(),
        vendor=pl.col("vendor_discount").sum(),
        recency=pl.col("days").min(),
        tenure=pl.col("days").max(),
        gap_mean=gap.mean(),
        gap_std=gap.std(),
        **{f"basket_{share}": pl.col("amount").quantile(share / 100, "nearest") for share in (10, 25, 50, 75, 90)},
        **{f"amount_{span}": recent(span, pl.col("amount")).sum() for span in (28, 56, 84)},
        **{f"orders_{span}": recent(span, pl.col("amount")).len() for span in (28, 56, 84)},
        **{f"weekday_{day}": (local.dt.weekday() == day + 1).sum() for day in range(7)},
        **{f"part_{part}": (local.dt.hour() // 4 == part).sum() for part in range(6)},
    )
    shares = lambda name, most: (
        lines.group_by("subject", name)
        .agg(pl.col("amount").sum())
        .sort("subject", "amount", descending=[False, True])
        .group_by("subject", maintain_order=True)
        .agg(pl.col(name).head(most), pl.col("amount").head(most).alias(f"{name}_amount"))
    )
    sensitivity = (
        lines.join(norm, on="category", how="left")
        .group_by("subject")
        .agg(sensitivity=(pl.col("discounted").sum() - pl.col("norm").sum()) / (pl.len() + 20))
    )
    day = local.dt.date()
    purchases = (
        orders.group_by("subject", day.alias("date")).agg(pl.col("amount").sum()).group_by("subject").agg(purchases=pl.len(), first=pl.col("date").min(), last=pl.col("date").max())
    )
    table = table.join(shares("category", 20), on="subject").join(shares("brand", 10), on="subject").join(sensitivity, on="subject").join(purchases, on="subject")
    return {
        "customers": table.height,
        "orders": int(table["orders"].sum()),
        "amount": int(table["amount_sum"].sum()),
        "recent_amount": int(table["amount_84"].sum()),
        "recency": float(table["recency"].sum()),
    }


work, arguments = {"import": imported, "features": features}[sys.argv[1]], sys.argv[2:]
start = time.perf_counter()
found = work(*arguments)
print(json.dumps({"seconds": time.perf_counter() - start, **found}))
