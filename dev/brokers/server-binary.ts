import { join } from 'node:path';

import { cachedDebianPackage, fetchDebianPackage, librariesOf, type Prepare } from '../debian-packages.js';
import { findOnPath } from '../executables.js';
import { NotApplicable, tryInOrder, type Way } from '../first-that-works.js';

/** A server that was seen to run on this machine. */
export interface ServerBinary {
  readonly binary: string;
  readonly version: string;
  /** How it was found, for people. */
  readonly source: string;
  /** What it needs beside this process's own variables. */
  readonly env: NodeJS.ProcessEnv;
}

/** What is looked for. */
export interface WantedServer {
  /** For people: "Redis". */
  readonly name: string;
  /** The environment variable that names a binary. */
  readonly variable: string;
  /** The command on PATH, and the package of Debian that has it. */
  readonly command: string;
  /** Where the package has the binary. */
  readonly inPackage: string;
  /** Makes the unpacked package usable. */
  readonly prepare?: Prepare;
  /** Where the binary is that a command on PATH starts, if that command is of no use. */
  readonly behind?: (command: string) => Promise<string>;
  /** Further variables of an unpacked package. */
  readonly packageEnv?: (folder: string) => NodeJS.ProcessEnv;
  /** Runs the binary once: one for another system fails here, with its reason, and not in the middle of a test. */
  readonly versionOf: (binary: string, env: NodeJS.ProcessEnv) => Promise<string>;
}

/**
 * Finds a server, in this order: its environment variable; PATH; what an earlier run has cached; the packages of Debian.
 *
 * @throws naming each way tried, and what to do
 */
export async function resolveServer(wanted: WantedServer, env: NodeJS.ProcessEnv = process.env): Promise<ServerBinary> {
  const { name, command, variable } = wanted;
  return tryInOrder(
    waysTo(wanted, env),
    `No ${name} that runs here was found`,
    `What to do: install ${name} so that \`${command}\` is on PATH, or set ${variable} to its path.`,
  );
}

/** The ways of `resolveServer`, in order. */
export function waysTo(wanted: WantedServer, env: NodeJS.ProcessEnv): Way<ServerBinary>[] {
  const { command, variable, behind = (found: string) => Promise.resolve(found) } = wanted;
  const checked = async (binary: string, source: string, own: NodeJS.ProcessEnv = {}): Promise<ServerBinary> => {
    const version = await wanted.versionOf(binary, { ...env, ...own });
    return { binary, version, source, env: own };
  };
  const unpacked = async (folder: string, source: string): Promise<ServerBinary> => {
    const own = { ...(await librariesOf(folder)), ...wanted.packageEnv?.(folder) };
    return checked(join(folder, wanted.inPackage), source, own);
  };
  return [
    {
      name: variable,
      decisive: true,
      get: async () => {
        const binary = env[variable];
        if (!binary) throw new NotApplicable('not set');
        return checked(binary, variable);
      },
    },
    {
      name: `${command} on PATH`,
      get: async () => {
        const found = await findOnPath(command, env);
        if (found === undefined) throw new NotApplicable('there is none');
        return checked(await behind(found), 'found on PATH');
      },
    },
    {
      name: `Debian's ${command}, cached`,
      get: async () => {
        const folder = await cachedDebianPackage(command, env);
        if (folder === undefined) throw new NotApplicable('not downloaded yet');
        return unpacked(folder, "Debian's package, cached");
      },
    },
    {
      name: `Debian's ${command}, download`,
      get: async () => unpacked(await fetchDebianPackage(command, wanted.prepare, env), "Debian's package, downloaded"),
    },
  ];
}
