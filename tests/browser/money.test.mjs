// A short evening of money: everything that tests/long/money.mjs does in ten minutes, in half a minute, with one kill.
import { test } from "node:test";
import { evening } from "../long/money.mjs";

test("after a kill, a bank that fails and webhooks that come twice or never, the ledger is the bank's books to the cent", async () => {
  const record = await evening({ donations: 400, minutes: 0.35, kills: 1, rate: 40 });
  for (const line of record) console.log(`# ${line}`);
});
