"""Segment's library for Python, as it is published: python client.py http://HOST WRITE_KEY"""

import json
import sys

import segment.analytics as analytics

failures = []
analytics.host, analytics.write_key = sys.argv[1:3]
analytics.gzip = True
analytics.on_error = lambda error, items: failures.append(str(error))
analytics.identify("python-user", {"email": "canary@example.com"})
for number in range(120):
    products = [{"product_id": "cup", "price": 4.99, "quantity": 1}]
    analytics.track("python-user", "Order Completed", {"order_id": f"python-{number}", "currency": "EUR", "products": products})
analytics.track("python-user", "Promotion Viewed", {"promotion_id": "ten-off-fifty"})
analytics.flush()
analytics.shutdown()
print(json.dumps({"sent": 122, "failures": failures}))
sys.exit(1 if failures else 0)
