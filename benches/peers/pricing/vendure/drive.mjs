// Measures what Vendure takes to price a changed basket. usage: drive.mjs [REQUESTS], 200 unless told, 250 at most.
// Prints one JSON object.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const LINES = 10;
const WARM_UP = 40;
const REQUESTS = Math.min(Number(process.argv[2] ?? 200), 250);
const PORT = Number(process.env.PORT ?? 3917);

/** A client of one GraphQL address which keeps its session. */
function client(path) {
  let token;
  return async (query, variables = {}) => {
    const headers = { "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    const body = JSON.stringify({ query, variables });
    const response = await fetch(`http://127.0.0.1:${PORT}/${path}`, { method: "POST", headers, body });
    token = response.headers.get("vendure-auth-token") ?? token;
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    const result = Object.values(data)[0];
    if (result?.errorCode) throw new Error(`${result.errorCode}: ${result.message}`);
    return result;
  };
}

/** One product with one variant for each line; prices 9.99, 15.54, 21.09 and so on, tax 0 %. */
async function seedProducts(admin) {
  await admin(`mutation { login(username: "bench", password: "bench") { __typename } }`);
  const country = await admin(
    `mutation { createCountry(input: {code: "XX", enabled: true, translations: [{languageCode: en, name: "X"}]}) { id } }`,
  );
  const zone = await admin(`mutation($ids: [ID!]) { createZone(input: {name: "X", memberIds: $ids}) { id } }`, {
    ids: [country.id],
  });
  const tax = await admin(`mutation { createTaxCategory(input: {name: "X", isDefault: true}) { id } }`);
  await admin(
    `mutation($zone: ID!, $tax: ID!) {
      createTaxRate(input: {name: "X", enabled: true, value: 0, categoryId: $tax, zoneId: $zone}) { id } }`,
    { zone: zone.id, tax: tax.id },
  );
  const channel = await admin(`query { activeChannel { id } }`);
  await admin(
    `mutation($id: ID!, $zone: ID!) { updateChannel(input: {id: $id, defaultTaxZoneId: $zone,
      defaultShippingZoneId: $zone}) { ... on ErrorResult { errorCode message } } }`,
    { id: channel.id, zone: zone.id },
  );
  const variants = [];
  for (let n = 0; n < LINES; n++) {
    const product = await admin(
      `mutation($name: String!) { createProduct(input: {enabled: true,
        translations: [{languageCode: en, name: $name, slug: $name, description: ""}]}) { id } }`,
      { name: `p${n}` },
    );
    const [variant] = await admin(
      `mutation($product: ID!, $tax: ID!, $sku: String!, $price: Money!) { createProductVariants(input: [{
        productId: $product, sku: $sku, price: $price, taxCategoryId: $tax, trackInventory: FALSE,
        translations: [{languageCode: en, name: $sku}]}]) { id } }`,
      { product: product.id, tax: tax.id, sku: `p${n}`, price: 999 + 555 * n },
    );
    variants.push(variant.id);
  }
  return variants;
}

/** Ten promotions, all of which apply to the measured basket. */
function promotions(variants) {
  const operation = (code, values) => ({
    code,
    arguments: Object.entries(values).map(([name, value]) => ({ name, value: JSON.stringify(value) })),
  });
  const some = (...at) => at.map((n) => variants[n]);
  const from = (amount) => operation("minimum_order_amount", { amount, taxInclusive: true });
  const atLeast = (minimum, ids) => operation("contains_products", { minimum, productVariantIds: ids });
  const percent = (discount) => operation("order_percentage_discount", { discount });
  const fixed = (discount) => operation("order_fixed_discount", { discount });
  const items = (discount, ids) => operation("products_percentage_discount", { discount, productVariantIds: ids });
  const buyGet = operation("buy_x_get_y_free", {
    amountX: 2,
    variantIdsX: some(6),
    amountY: 1,
    variantIdsY: some(7),
  });
  return [
    { name: "5 % off the order", conditions: [from(100)], actions: [percent(5)] },
    { name: "3 % off from 200.00", conditions: [from(20_000)], actions: [percent(3)] },
    { name: "20.00 off from 100.00", conditions: [from(10_000)], actions: [fixed(2_000)] },
    { name: "10.00 off from 300.00", conditions: [from(30_000)], actions: [fixed(1_000)] },
    { name: "10 % off two products", conditions: [atLeast(1, some(0, 1))], actions: [items(10, some(0, 1))] },
    { name: "15 % off one product", conditions: [atLeast(1, some(2))], actions: [items(15, some(2))] },
    { name: "20 % off two products, 3 or more", conditions: [atLeast(3, some(3, 4))], actions: [items(20, some(3, 4))] },
    { name: "buy two, get another free", conditions: [buyGet], actions: [buyGet] },
    { name: "code: 10 % off", couponCode: "TEN", conditions: [], actions: [percent(10)] },
    { name: "code: 5.00 off", couponCode: "FIVE", conditions: [], actions: [fixed(500)] },
  ];
}

async function seedPromotions(admin, variants) {
  const wanted = promotions(variants);
  for (const { name, ...rest } of wanted) {
    const input = { enabled: true, translations: [{ languageCode: "en", name }], ...rest };
    await admin(
      `mutation($input: CreatePromotionInput!) { createPromotion(input: $input) {
        ... on ErrorResult { errorCode message } } }`,
      { input },
    );
  }
  return wanted;
}

const ORDER = `... on Order { totalWithTax discounts { description amountWithTax }
  lines { id quantity proratedLinePriceWithTax } } ... on ErrorResult { errorCode message }`;

/** A basket of two units of each product, with both codes. */
async function fillBasket(shop, variants) {
  let order;
  for (const variant of variants) {
    order = await shop(`mutation($id: ID!) { addItemToOrder(productVariantId: $id, quantity: 2) { ${ORDER} } }`, {
      id: variant,
    });
  }
  for (const code of ["TEN", "FIVE"]) {
    order = await shop(`mutation($code: String!) { applyCouponCode(couponCode: $code) { ${ORDER} } }`, { code });
  }
  return order;
}

/** Changes one line after the other from 2 units to 3 and back, and times each answer. */
async function measure(shop, basket, promotionCount) {
  const times = [];
  const totals = new Map([[basket.lines.map((line) => line.quantity).join(), basket.totalWithTax]]);
  let before = basket.totalWithTax;
  for (let n = 0; n < WARM_UP + REQUESTS; n++) {
    const id = basket.lines[n % LINES].id;
    const quantity = Math.floor(n / LINES) % 2 === 0 ? 3 : 2;
    const start = performance.now();
    const order = await shop(
      `mutation($id: ID!, $quantity: Int!) { adjustOrderLine(orderLineId: $id, quantity: $quantity) { ${ORDER} } }`,
      { id, quantity },
    );
    if (n >= WARM_UP) times.push(performance.now() - start);

    const key = order.lines.map((line) => line.quantity).join();
    if (order.discounts.length !== promotionCount) throw new Error(`${order.discounts.length} promotions applied`);
    if (order.totalWithTax === before) throw new Error(`the total did not change: ${before}`);
    if ((totals.get(key) ?? order.totalWithTax) !== order.totalWithTax) throw new Error(`two totals for ${key}`);
    totals.set(key, order.totalWithTax);
    before = order.totalWithTax;
  }
  return times;
}

function summary(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const rank = (share) => sorted[Math.ceil(share * sorted.length) - 1];
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  const rounded = (value) => Number(value.toFixed(3));
  return {
    requests: times.length,
    mean_ms: rounded(mean),
    median_ms: rounded(rank(0.5)),
    p99_ms: rounded(rank(0.99)),
    baskets_per_second: rounded(1000 / mean),
  };
}

const here = import.meta.dirname;
const directory = mkdtempSync(join(tmpdir(), "peer-vendure-"));
const server = fork(join(here, "server.mjs"), [String(PORT), join(directory, "shop.sqlite")], {
  env: { ...process.env, NODE_ENV: "production", VENDURE_DISABLE_TELEMETRY: "true" },
  stdio: ["ignore", 2, 2, "ipc"],
});
const stopped = once(server, "exit");
try {
  const started = await Promise.race([once(server, "message"), stopped]);
  if (started[0] !== "ready") throw new Error("Vendure did not start");

  const admin = client("admin");
  const variants = await seedProducts(admin);
  const wanted = await seedPromotions(admin, variants);
  const shop = client("shop");
  const basket = await fillBasket(shop, variants);
  const times = await measure(shop, basket, wanted.length);

  const core = JSON.parse(readFileSync(join(here, "node_modules/@vendure/core/package.json"), "utf8"));
  const scale = { peer: "vendure", version: core.version, lines: basket.lines.length, promotions: wanted.length };
  console.log(JSON.stringify({ ...scale, ...summary(times) }));
} finally {
  server.kill();
  await stopped;
  rmSync(directory, { recursive: true, force: true });
}
