// OpenFeature's SDK for Node with its OFREP provider, as they are published: node openfeature.mjs http://HOST SECRET_KEY CUSTOMER
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [baseUrl, key, customer] = process.argv.slice(2);
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: [["Authorization", `Bearer ${key}`]] }));
const client = OpenFeature.getClient();
const home = await client.getObjectDetails("home", { promotion_id: "default" }, { targetingKey: customer });
const again = await client.getObjectDetails("home", { promotion_id: "default" }, { targetingKey: customer });
const cellar = await client.getObjectDetails("cellar", { promotion_id: "default" }, { targetingKey: customer });
console.log(JSON.stringify({ home, again, cellar }));
process.exit(0);
