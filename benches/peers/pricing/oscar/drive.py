"""Measures what django-oscar takes to price a changed basket.

usage: drive.py [REQUESTS], 200 unless told, 250 at most. Prints one JSON object.
"""

import datetime
import http.client
import json
import logging
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

LINES = 10
WARM_UP = 40
PORT = int(os.environ.get("PORT", "3918"))


def serve():
    """The shop on 127.0.0.1, until the process is ended."""
    import django
    from django.core.wsgi import get_wsgi_application
    from waitress import create_server

    django.setup()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(get_wsgi_application(), host="127.0.0.1", port=PORT, threads=1)
    print("ready", flush=True)
    server.run()


def seed_products():
    """One product for each line; prices 9.99, 15.54, 21.09 and so on, tax 0 %."""
    from oscar.core.loading import get_model

    kind = get_model("catalogue", "ProductClass").objects.create(name="X", track_stock=False, requires_shipping=False)
    partner = get_model("partner", "Partner").objects.create(name="X")
    products = []
    for n in range(LINES):
        product = get_model("catalogue", "Product").objects.create(title=f"p{n}", product_class=kind)
        price = Decimal(999 + 555 * n) / 100
        product.stockrecords.create(partner=partner, partner_sku=f"p{n}", price=price)
        products.append(product)
    return products


def seed_promotions(products):
    """Ten promotions, all of which apply to the measured basket."""
    from django.utils import timezone
    from oscar.core.loading import get_model

    ranges = get_model("offer", "Range").objects
    everything = ranges.create(name="everything", includes_all_products=True)

    def some(*at):
        chosen = ranges.create(name=f"products {at}")
        for n in at:
            chosen.add_product(products[n])
        return chosen

    # Name, range, condition, benefit, code.
    wanted = [
        ("5 % off the order", everything, ("Value", 100), ("Percentage", 5), None),
        ("3 % off from 200.00", everything, ("Value", 200), ("Percentage", 3), None),
        ("20.00 off from 100.00", everything, ("Value", 100), ("Absolute", 20), None),
        ("10.00 off from 300.00", everything, ("Value", 300), ("Absolute", 10), None),
        ("10 % off two products", some(0, 1), ("Count", 1), ("Percentage", 10), None),
        ("15 % off one product", some(2), ("Count", 1), ("Percentage", 15), None),
        ("20 % off two products, 3 or more", some(3, 4), ("Count", 3), ("Percentage", 20), None),
        ("buy two, get another free", some(6, 7), ("Count", 3), ("Multibuy", None), None),
        ("code: 10 % off", everything, ("Value", 1), ("Percentage", 10), "TEN"),
        ("code: 5.00 off", everything, ("Value", 1), ("Absolute", 5), "FIVE"),
    ]
    now = timezone.now()
    day = datetime.timedelta(days=1)
    for priority, (name, group, condition, benefit, code) in enumerate(reversed(wanted)):
        offer = get_model("offer", "ConditionalOffer").objects.create(
            name=name,
            offer_type="Voucher" if code else "Site",
            exclusive=False,
            priority=priority,
            max_basket_applications=1,
            condition=get_model("offer", "Condition").objects.create(
                range=group, type=condition[0], value=condition[1]
            ),
            benefit=get_model("offer", "Benefit").objects.create(range=group, type=benefit[0], value=benefit[1]),
        )
        if code:
            voucher = get_model("voucher", "Voucher").objects.create(
                name=name, code=code, usage="Multi-use", start_datetime=now - day, end_datetime=now + day
            )
            voucher.offers.add(offer)
    return len(wanted)


class Shop:
    """A client which keeps its connection and its session."""

    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        self.cookie = None

    def post(self, path, body):
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        self.connection.request("POST", path, json.dumps(body), headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {content[:500]!r}")
        if set_cookie := response.getheader("Set-Cookie"):
            self.cookie = set_cookie.split(";")[0]
        return json.loads(content)

    def add(self, product, quantity):
        url = f"http://127.0.0.1:{PORT}/products/{product}/"
        return self.post("/basket/add-product/", {"url": url, "quantity": quantity})


def measure(shop, products, promotions, requests):
    """Adds one more unit to one line after the other, and times each answer, in milliseconds.

    Two units of each product and both codes are in the basket before.
    """
    for product in products:
        shop.add(product, 2)
    for code in ["TEN", "FIVE"]:
        shop.post("/basket/add-voucher/", {"vouchercode": code})
    times = []
    before = None
    for n in range(WARM_UP + requests):
        start = time.perf_counter()
        basket = shop.add(products[n % LINES], 1)
        if n >= WARM_UP:
            times.append((time.perf_counter() - start) * 1000)

        applied = len(basket["offer_discounts"]) + len(basket["voucher_discounts"])
        if applied != promotions:
            raise SystemExit(f"{applied} promotions applied: {basket}")
        if basket["total_incl_tax"] == before:
            raise SystemExit(f"the total did not change: {before}")
        before = basket["total_incl_tax"]
    return times


def main():
    requests = min(int(sys.argv[1]) if len(sys.argv) > 1 else 200, 250)
    with tempfile.TemporaryDirectory(prefix="peer-oscar-") as directory:
        os.environ["PEER_DATABASE"] = str(Path(directory, "shop.sqlite"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        call_command("migrate", verbosity=0)
        products = seed_products()
        promotions = seed_promotions(products)
        connection.close()

        server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
        try:
            if server.stdout.readline() != "ready\n":
                raise SystemExit("django-oscar did not start")
            times = measure(Shop(), [product.id for product in products], promotions, requests)
        finally:
            server.terminate()
            server.wait()

    mean = statistics.fmean(times)
    result = {
        "peer": "django-oscar",
        "version": version("django-oscar"),
        "lines": LINES,
        "promotions": promotions,
        "requests": len(times),
        "mean_ms": round(mean, 3),
        "median_ms": round(statistics.median_low(times), 3),
        "p99_ms": round(sorted(times)[math.ceil(0.99 * len(times)) - 1], 3),
        "baskets_per_second": round(1000 / mean, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
