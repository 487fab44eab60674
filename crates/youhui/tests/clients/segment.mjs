// Segment's library for Node, as it is published: node segment.mjs http://HOST WRITE_KEY
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, flushAt: 50 });
const failures = [];
analytics.on("error", (error) => failures.push(error));
analytics.identify({ userId: "node-user", anonymousId: "node-anonymous", traits: { email: "canary@example.com" } });
analytics.track({ anonymousId: "node-anonymous", event: "Product Viewed", properties: { product_id: "tea", price: 12.5 } });
for (let number = 0; number < 120; number += 1) {
  const products = [{ product_id: "tea", price: 12.5, quantity: 2 }];
  analytics.track({ userId: "node-user", event: "Order Completed", properties: { order_id: `node-${number}`, currency: "EUR", products } });
}
analytics.page({ userId: "node-user", name: "Home" });
await analytics.closeAndFlush();
console.log(JSON.stringify({ sent: 123, failures: failures.length }));
process.exit(failures.length === 0 ? 0 : 1);
