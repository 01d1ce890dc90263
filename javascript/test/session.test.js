import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArmadilloError, Session } from "../index.js";

let cluster;

beforeAll(async () => {
  cluster = await Session.start("cluster(agents = 1, links)", { flags: ["--arangod=emulator"] });
}, 60_000);

afterAll(() => cluster.stop());

/** The answer to a request with the password of the session. */
async function version() {
  const { ARANGO_ENDPOINTS, ARANGO_USERNAME, ARANGO_PASSWORD } = cluster.variables;
  const login = Buffer.from(`${ARANGO_USERNAME}:${ARANGO_PASSWORD}`).toString("base64");
  const answer = await fetch(`${ARANGO_ENDPOINTS.split(",")[0]}/_api/version`, { headers: { authorization: `Basic ${login}` } });
  return answer.json();
}

test("another version is told what to update", async () => {
  const card = join(await mkdtemp(join(tmpdir(), "armadillo-")), "session.json");
  const kept = process.env.ARMADILLO_SESSION;
  process.env.ARMADILLO_SESSION = card;
  try {
    await writeFile(card, '{"protocol":2}');
    await expect(Session.current()).rejects.toThrow("update this package");
    await writeFile(card, "{}");
    await expect(Session.current()).rejects.toThrow("update the command (");
  } finally {
    if (kept === undefined) delete process.env.ARMADILLO_SESSION;
    else process.env.ARMADILLO_SESSION = kept;
  }
});

test("any client reaches it", async () => {
  expect(await version()).toMatchObject({ server: "arango" });
});

test("servers go and come", async () => {
  const server = cluster.server("dbserver-1");
  await server.kill();
  expect((await server.status()).state).toBe("stopped");
  await server.start();
  await server.pause();
  expect((await server.status()).state).toBe("paused");
  await server.resume();
  await cluster.waitHealthy();
  expect((await cluster.servers("dbserver")).map((server) => server.health)).toEqual(["good", "good", "good"]);
  expect(await server.log()).toContain("ready for business");
});

test("links are cut and healed", async () => {
  await cluster.cut("dbserver-1", "agent-1");
  await cluster.heal();
});

test("errors are those of the command", async () => {
  await expect(cluster.server("dbserver-9").kill()).rejects.toThrow(/no server named `dbserver-9`; the servers are agent-1/);
  await expect(Session.start("triple")).rejects.toThrow(ArmadilloError);
  expect(await Session.current()).toBeUndefined();
});
