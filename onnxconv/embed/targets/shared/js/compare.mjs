// Every file against what it was, every output against what it must be: the same in a browser and in Node.js.

import { TYPES } from "./session.mjs";

const SUMS = "SHA256SUMS";
const LISTED = "bundle.json";

const text = (content) => new TextDecoder().decode(content);

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

/** What turns an element of an array of this type into a number. */
export const numberOf = (dtype) => (dtype === "float16" ? half : Number);

/** The files that are not as they were written: SHA256SUMS vouches for bundle.json, and that for all others. */
export async function changed(bytes, subtle) {
  const digest = async (name) => {
    const content = await bytes(name);
    const found = new Uint8Array(content === null ? [] : await subtle.digest("SHA-256", content));
    return [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const content = await bytes(SUMS);
  const lines = content === null ? [] : text(content).split("\n").filter(Boolean);
  const sums = Object.fromEntries(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
  const own = await digest(LISTED);
  if (sums[LISTED] !== own) {
    return [`${LISTED} or ${SUMS}`];
  }
  const known = Object.entries(JSON.parse(text(await bytes(LISTED))).files).map(([name, { sha256 }]) => [name, sha256]);
  const found = [];
  for (const [name, sum] of known) {
    if ((await digest(name)) !== sum) {
      found.push(name);
    }
  }
  const whole = lines.length === known.length + 1 && known.every(([name, sum]) => sums[name] === sum);
  return whole ? found : [...found, SUMS];
}

/** What is wrong with an output, in words; empty if nothing is. */
function wrong(got, expected, entry) {
  if (!got || String(got.shape) !== String(entry.shape) || got.type !== entry.dtype) {
    return `it is ${got ? `${got.type} [${got.shape}]` : "missing"}, not ${entry.dtype} [${entry.shape}]`;
  }
  const value = numberOf(entry.dtype);
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

/**
 * Check a folder: 0 where all is right, 1 where a file was changed or an output is wrong, 2 where the model cannot be run.
 *
 * `bytes`: the content of a file as an ArrayBuffer, null where there is none. `subtle`: what makes digests. `load`: the
 * model in a file. `say` is given every line, `seen` every array: the words for it, its entry, its data.
 */
export async function check({ bytes, subtle, load, say, seen = () => {} }) {
  const found = await changed(bytes, subtle);
  if (found.length) {
    say(`changed: ${found.join(", ")}`);
    return 1;
  }
  const array = async (entry) => new TYPES[entry.dtype](await bytes(`golden/${entry.file}`));
  let failed = false;
  for (const golden of JSON.parse(text(await bytes("golden/golden.json"))).sets) {
    let got;
    let times;
    try {
      const inputs = {};
      for (const entry of golden.inputs) {
        inputs[entry.name] = { data: await array(entry), shape: entry.shape };
        seen(`${golden.name}, input`, entry, inputs[entry.name].data);
      }
      const begun = performance.now();
      const model = await load(golden.model);
      const loaded = performance.now();
      got = await model.run(inputs);
      times = [loaded - begun, performance.now() - loaded];
    } catch (error) {
      say(`cannot run ${golden.model}: ${error.message}`);
      return 2;
    }
    say(`${golden.name}: loaded in ${times[0].toFixed(1)} ms, ran in ${times[1].toFixed(1)} ms`);
    for (const entry of golden.outputs) {
      const reason = wrong(got[entry.name], await array(entry), entry);
      const tolerance = `${Number(entry.tolerance.toPrecision(3))}, ${entry.basis}`;
      say(`  ${entry.name}: ${reason || "right"} (tolerance ${tolerance})`);
      failed = failed || Boolean(reason);
      if (got[entry.name]) {
        seen(`${golden.name}, output`, { ...entry, shape: got[entry.name].shape }, got[entry.name].data);
      }
    }
  }
  say(failed ? "FAILED" : "ok");
  return failed ? 1 : 0;
}
