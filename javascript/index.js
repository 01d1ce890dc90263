// Clusters for tests in JavaScript, by the `armadillo` command.

import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const executable = () => process.env.ARMADILLO_BIN ?? "armadillo";

/** How long an operation on a server may take, in milliseconds. */
const OPERATION_LIMIT = 120_000;

/** How long servers may take to start, in milliseconds. */
const START_LIMIT = 600_000;

/** The version of what the command and this package say to each other. */
const PROTOCOL = 1;

/** Something was not done; the message is that of the command. */
export class ArmadilloError extends Error {}

/** What this promises, if it comes in time. */
async function within(limit, promise) {
  const late = sleep(limit, undefined, { ref: false }).then(() => {
    throw new ArmadilloError(`${executable()} did not answer within ${limit} ms`);
  });
  return Promise.race([promise, late]);
}

/** A server of a session. Each operation returns when it has taken effect. */
export class Server {
  #session;

  constructor(session, name) {
    this.#session = session;
    this.name = name;
  }

  /** How it is now. */
  async status() {
    const named = (await this.#session.status()).flatMap(({ name, servers }) =>
      servers.flatMap((server) => [[server.name, server], [`${name}/${server.name}`, server]]),
    );
    const [, server] = named.find(([name]) => name === this.name) ?? [];
    if (!server) throw new ArmadilloError(`no server named \`${this.name}\``);
    return server;
  }

  kill = () => this.#session.call("kill", this.name);
  stop = () => this.#session.call("stop", this.name);
  start = () => this.#session.call("start", this.name);
  restart = () => this.#session.call("restart", this.name);
  pause = () => this.#session.call("pause", this.name);
  resume = () => this.#session.call("resume", this.name);

  /** What it has logged, across its restarts. */
  log = () => this.#session.call("logs", this.name);
}

/** Deployments that are up. */
export class Session {
  #path;
  #process;

  constructor(path, variables, process) {
    this.#path = path;
    this.#process = process;
    /** How any client reaches the servers: ARANGO_ENDPOINTS, ETCDCTL_ENDPOINTS, ... Some are secrets. */
    this.variables = variables;
  }

  /** Starts deployments, `Session.start("cluster(dbservers = 5)")`. They end with this process, however it does. */
  static async start(topologies, { flags = [] } = {}) {
    const words = ["up", "--json", ...flags, "--", ...[topologies].flat()];
    const { ARMADILLO_SESSION: _, ...env } = process.env;
    // A process group of its own: Ctrl-C is for the tests, and the servers end with them.
    const child = spawn(executable(), words, { env, detached: true });
    let stderr = "";
    child.stderr.on("data", (data) => (stderr += data));
    const line = new Promise((resolve, reject) => {
      let stdout = "";
      child.on("error", (error) => reject(new ArmadilloError(`cannot run ${executable()}: ${error.message}`)));
      child.on("close", (code) => reject(new ArmadilloError(stderr.trim() || `it exited with ${code}`)));
      child.stdout.on("data", (data) => {
        stdout += data;
        if (stdout.includes("\n")) resolve(stdout);
      });
    });
    try {
      const session = await Session.#of(JSON.parse(await within(START_LIMIT, line)).session, child);
      // A program that has nothing else to do ends, and the servers with it.
      for (const part of [child, child.stdin, child.stdout, child.stderr]) part.unref();
      return session;
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** The session of `armadillo exec` that this process runs in; undefined if it does not. */
  static async current() {
    const path = process.env.ARMADILLO_SESSION;
    return path && Session.#of(path);
  }

  static async #of(path, child) {
    const { protocol = 0, variables } = JSON.parse(await readFile(path, "utf8"));
    if (protocol !== PROTOCOL) {
      const update = protocol > PROTOCOL ? "this package" : `the command (${executable()})`;
      throw new ArmadilloError(`the armadillo command speaks protocol ${protocol}, and this package ${PROTOCOL}: update ${update}`);
    }
    return new Session(path, variables, child);
  }

  /** Stops the servers, unless somebody else has started them. */
  async stop() {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.ref();
    child.stdin.end();
    try {
      await within(OPERATION_LIMIT, ended);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** Has `armadillo` do something with this session; returns what it printed. */
  async call(...words) {
    const env = { ...process.env, ARMADILLO_SESSION: this.#path };
    try {
      return (await run(executable(), words, { env, timeout: OPERATION_LIMIT, maxBuffer: 1 << 30 })).stdout;
    } catch (error) {
      throw new ArmadilloError(error.stderr?.trim() || error.message);
    }
  }

  /** Every deployment with its servers, as `armadillo ps --json` prints them. */
  async status() {
    const [here] = JSON.parse(await this.call("ps", "--json"));
    if (!here) throw new ArmadilloError("the servers have been stopped");
    return here.deployments;
  }

  /** How all servers are, or those of a role. */
  async servers(role) {
    const all = (await this.status()).flatMap((deployment) => deployment.servers);
    return all.filter((server) => role === undefined || server.role === role);
  }

  /** A server by its name. Whether there is one is known when something is done to it. */
  server = (name) => new Server(this, name);

  /** Cuts a server off from all others, or from one; needs a topology with `links`. */
  cut = (server, ...other) => this.call("cut", server, ...other);

  /** Ends every fault of the links. */
  heal = () => this.call("heal");

  /** Waits until all servers are good and every group has a leader. */
  async waitHealthy(limit = 60_000) {
    const end = Date.now() + limit;
    for (;;) {
      const deployments = await this.status();
      if (deployments.every((deployment) => deployment.healthy)) return;
      if (Date.now() > end) throw new ArmadilloError(`not healthy after ${limit} ms`);
      await sleep(50);
    }
  }
}
