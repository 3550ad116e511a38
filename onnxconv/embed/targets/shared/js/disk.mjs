// The files of this folder, in Node.js.

import { readFile } from "node:fs/promises";

/** The content of a file as an ArrayBuffer; null where there is none. */
export async function bytes(name) {
  try {
    return new Uint8Array(await readFile(new URL(name, import.meta.url))).buffer;
  } catch {
    return null;
  }
}
