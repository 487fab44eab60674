// Starts Vendure on 127.0.0.1 with a SQLite file. usage: server.mjs PORT DATABASE
// Says "ready" to its parent process, and stops when the parent is gone.

import vendure from "@vendure/core";

const [port, database] = process.argv.slice(2);

await vendure.bootstrap({
  apiOptions: { hostname: "127.0.0.1", port: Number(port), adminApiPath: "admin", shopApiPath: "shop" },
  // A throw-away account: the database is deleted at the end and the server listens on the loopback address only.
  authOptions: {
    tokenMethod: "bearer",
    superadminCredentials: { identifier: "bench", password: "bench" },
  },
  dbConnectionOptions: { type: "better-sqlite3", database, synchronize: true },
  logger: new vendure.DefaultLogger({ level: vendure.LogLevel.Error }),
  paymentOptions: { paymentMethodHandlers: [] },
  plugins: [],
});

process.on("disconnect", () => process.exit(0));
process.send("ready");
