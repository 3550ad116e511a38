// What the page does: every file against bundle.json, every output against golden.json, and pictures of both.

import { Model, TYPES } from "./model.mjs";

const PROVIDER = new URLSearchParams(location.search).get("ep") ?? "wasm";
const lines = [];

function say(line) {
  lines.push(line);
  document.querySelector("#said").textContent = lines.join("\n");
}

async function bytes(name) {
  const told = await fetch(name, { cache: "no-store" });
  return told.ok ? told.arrayBuffer() : null;
}

async function json(name) {
  return JSON.parse(new TextDecoder().decode(await bytes(name)));
}

async function digest(content) {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The files that are not as they were written. */
async function changed(files) {
  const found = [];
  for (const [name, known] of Object.entries(files)) {
    const content = await bytes(name);
    if (content === null || (await digest(content)) !== known.sha256) {
      found.push(name);
    }
  }
  return found;
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

async function array(entry) {
  return new TYPES[entry.dtype](await bytes(`golden/${entry.file}`));
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

/** The channels of the first image side by side in shades of grey; of a signal, a row for each channel. */
function picture(title, entry, data) {
  const [, channels = 1, ...sizes] = entry.shape;
  const shown = Math.min(channels, 16);
  const width = sizes.length ? sizes[sizes.length - 1] : shown;
  const height = sizes.length > 1 ? sizes[sizes.length - 2] : 1;
  const tiles = sizes.length > 1 ? shown : 1;
  const rows = sizes.length === 1 ? shown : height;
  const canvas = document.createElement("canvas");
  canvas.width = tiles * (width + 1) - 1;
  canvas.height = rows;
  const inChannel = sizes.reduce((product, size) => product * size, 1);
  const values = Array.from(data.subarray(0, sizes.length ? shown * inChannel : shown), (v) =>
    entry.dtype === "float16" ? half(v) : Number(v),
  );
  const low = Math.min(...values);
  const high = Math.max(...values);
  const context = canvas.getContext("2d");
  for (let tile = 0; tile < tiles; tile += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const channel = sizes.length === 1 ? row : tile;
        const at = sizes.length ? channel * inChannel + (sizes.length > 1 ? row * width : 0) + column : column;
        const shade = Math.round((255 * (values[at] - low)) / (high - low || 1));
        context.fillStyle = `rgb(${shade} ${shade} ${shade})`;
        context.fillRect(tile * (width + 1) + column, row, 1, 1);
      }
    }
  }
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = `${title}: ${entry.name} [${entry.shape.join(", ")}], from ${low.toPrecision(4)} (black) to ${high.toPrecision(4)}`;
  figure.append(caption, canvas);
  document.querySelector("#pictures").append(figure);
}

async function main() {
  const bundle = await json("bundle.json");
  document.title = `${bundle.name} in a browser`;
  document.querySelector("h1").textContent = document.title;
  const found = await changed(bundle.files);
  if (found.length) {
    say(`changed: ${found.join(", ")}`);
    return 1;
  }
  let failed = false;
  for (const golden of (await json("golden/golden.json")).sets) {
    let got;
    let times;
    try {
      const begun = performance.now();
      const model = await Model.load(golden.model, PROVIDER);
      const loaded = performance.now();
      const inputs = {};
      for (const entry of golden.inputs) {
        const data = await array(entry);
        inputs[entry.name] = { data, shape: entry.shape };
        picture(`${golden.name}, input`, entry, data);
      }
      got = await model.run(inputs);
      times = [loaded - begun, performance.now() - loaded];
    } catch (error) {
      say(`cannot run ${golden.model}: ${error.message}`);
      return 2;
    }
    say(`${golden.name}: loaded in ${times[0].toFixed(1)} ms, ran in ${times[1].toFixed(1)} ms (${PROVIDER})`);
    for (const entry of golden.outputs) {
      const reason = wrong(got[entry.name], await array(entry), entry);
      say(`  ${entry.name}: ${reason || "right"} (tolerance ${Number(entry.tolerance.toPrecision(3))})`);
      failed = failed || Boolean(reason);
      if (got[entry.name]) {
        picture(`${golden.name}, output`, { ...entry, shape: got[entry.name].shape }, got[entry.name].data);
      }
    }
  }
  say(failed ? "FAILED" : "ok");
  return failed ? 1 : 0;
}

const status = await main().catch((error) => {
  say(`cannot run: ${error.message}`);
  return 2;
});
document.body.className = ["right", "wrong", "unknown"][status];
// To check.js, if it is what serves the page.
await fetch("/status", { method: "POST", body: JSON.stringify({ status, said: lines.join("\n") }) }).catch(() => {});
