// A throw-away PostgreSQL of Debian's packages, in a scratch directory on a free port; also when run by root.
import { execFileSync, spawn } from "node:child_process";
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, freePort, until } from "./carillon.mjs";

function binaries() {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).filter((v) => existsSync(join(root, v, "bin/postgres"))) : [];
  if (!versions.length) throw new Error("PostgreSQL is not installed (make setup)");
  return join(root, versions.sort((a, b) => Number(b) - Number(a))[0], "bin");
}

// PostgreSQL refuses to run as root: it runs as its own user, or as nobody.
function otherUser() {
  if (process.getuid() !== 0) return {};
  const id = (flag, name) => Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }));
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) };
    } catch {
      continue;
    }
  }
  throw new Error("there is neither a user postgres nor nobody");
}

/** {url, sql, stop}; the directory goes away with stop or with the process. */
export async function startPostgres() {
  const bin = binaries();
  const user = otherUser();
  const dir = mkdtempSync(join(tmpdir(), "carillon-pg-"));
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid);
  const data = join(dir, "data");
  const options = { ...user, cwd: dir, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } };
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "carillon", "-A", "trust", "-E", "UTF8", "--no-sync"], { ...options, stdio: "ignore" });
  const port = await freePort();
  const child = spawn(
    "setpriv",
    ["--pdeathsig", "QUIT", join(bin, "postgres"), "-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${dir}`, "-c", "fsync=off"],
    { ...options, stdio: "ignore" },
  );
  const remove = () => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
  process.on("exit", remove);
  await until(() => {
    execFileSync(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)], options);
    return true;
  }, "PostgreSQL");
  return {
    url: `postgres://carillon@127.0.0.1:${port}/postgres`,
    /** Runs a statement as the database's owner and gives what psql prints of its rows. */
    sql: (text) => execFileSync(join(bin, "psql"), ["-h", "127.0.0.1", "-p", String(port), "-U", "carillon", "-d", "postgres", "-Atc", text],
      { ...options, encoding: "utf8" }).trim(),
    stop: async () => {
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGINT"); // a fast shutdown
      await closed;
      process.off("exit", remove);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Two processes with the same keys on one PostgreSQL of their own: {one, two, sql, stop}. */
export async function startPair(more = {}) {
  const postgres = await startPostgres();
  const options = { ...more, env: { CARILLON_DATABASE_URL: postgres.url, ...more.env } };
  const one = await Carillon.start(options);
  const two = new Carillon(options);
  cpSync(one.dir, two.dir, { recursive: true });
  await two.start();
  return {
    one, two, sql: postgres.sql,
    stop: async () => {
      await two.stop();
      await one.stop();
      await postgres.stop();
    },
  };
}
