"use strict";

// Check this folder: node check.js
//
// Every file must be what bundle.json says, and every output within its tolerance (0: equal). Exits with 0 if so, 1 where a
// file was changed or an output is wrong, 2 where the model cannot be run.

const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const read = (...parts) => fs.readFileSync(path.join(__dirname, ...parts));

/** The files that are not as they were written. */
function changed() {
  const listed = JSON.parse(read("bundle.json")).files;
  return Object.entries(listed)
    .filter(([name, known]) => {
      if (!fs.existsSync(path.join(__dirname, name))) {
        return true;
      }
      return crypto.createHash("sha256").update(read(name)).digest("hex") !== known.sha256;
    })
    .map(([name]) => name);
}

/** The number that 16 bits stand for (IEEE 754 binary16). */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) {
    return fraction ? NaN : sign * Infinity;
  }
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** One array of golden.json, as a typed array. */
function array(entry, types) {
  const raw = read("golden", entry.file);
  const kind = types[entry.dtype];
  return new kind(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength));
}

/** What is wrong with an output, in words; empty if nothing is. */
function wrong(got, expected, entry) {
  if (!got || String(got.shape) !== String(entry.shape) || got.type !== entry.dtype) {
    return `it is ${got ? `${got.type} [${got.shape}]` : "missing"}, not ${entry.dtype} [${entry.shape}]`;
  }
  const value = entry.dtype === "float16" ? half : Number;
  let count = 0;
  let worst = -1;
  let at = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const off = Math.abs(value(got.data[i]) - value(expected[i]));
    if (!(off <= entry.tolerance)) {
      count += 1;
      const size = Number.isNaN(off) ? Infinity : off;
      [worst, at] = size > worst ? [size, i] : [worst, at];
    }
  }
  if (!count) {
    return "";
  }
  return `${count} of ${expected.length} elements; number ${at} is ${value(got.data[at])} instead of ${value(expected[at])}`;
}

async function main() {
  const found = changed();
  if (found.length) {
    console.log(`changed: ${found.join(", ")}`);
    return 1;
  }
  let failed = false;
  for (const golden of JSON.parse(read("golden", "golden.json")).sets) {
    let got;
    let times;
    let library;
    try {
      library = require("./model.js");
      const begun = performance.now();
      const model = await library.Model.load(path.join(__dirname, golden.model));
      const loaded = performance.now();
      const inputs = Object.fromEntries(
        golden.inputs.map((entry) => [entry.name, { data: array(entry, library.TYPES), shape: entry.shape }]),
      );
      got = await model.run(inputs);
      times = [loaded - begun, performance.now() - loaded];
    } catch (error) {
      console.log(`cannot run ${golden.model}: ${error.message}`);
      return 2;
    }
    console.log(`${golden.name}: loaded in ${times[0].toFixed(1)} ms, ran in ${times[1].toFixed(1)} ms`);
    for (const entry of golden.outputs) {
      const reason = wrong(got[entry.name], array(entry, library.TYPES), entry);
      console.log(`  ${entry.name}: ${reason || "right"} (tolerance ${Number(entry.tolerance.toPrecision(3))})`);
      failed = failed || Boolean(reason);
    }
  }
  console.log(failed ? "FAILED" : "ok");
  return failed ? 1 : 0;
}

main().then((status) => {
  process.exitCode = status;
});
