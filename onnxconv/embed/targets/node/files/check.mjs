// Check this folder: node check.mjs
//
// Every file must be what SHA256SUMS and bundle.json say, and every output within its tolerance (0: equal). Exits with 0 if
// so, 1 where a file was changed or an output is wrong, 2 where the model cannot be run.

import { webcrypto } from "node:crypto";
import { check } from "./compare.mjs";
import { bytes } from "./disk.mjs";

async function load(file) {
  const { Model } = await import("./model.mjs");
  return Model.load(file);
}

process.exitCode = await check({ bytes, load, subtle: webcrypto.subtle, say: console.log });
