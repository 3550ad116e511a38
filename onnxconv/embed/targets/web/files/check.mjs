// What the page does: every file and every output is checked, and shown.

import { check, numberOf } from "./compare.mjs";
import { Model } from "./model.mjs";

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
  const values = Array.from(data.subarray(0, sizes.length ? shown * inChannel : shown), numberOf(entry.dtype));
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

/** Rejects without a GPU for WebGPU; what it is called otherwise. */
async function adapter() {
  const found = await navigator.gpu?.requestAdapter();
  if (!found) {
    throw new Error("this browser gives no adapter for WebGPU");
  }
  return [found.info.vendor, found.info.architecture, found.info.description].filter(Boolean).join(" ");
}

async function main() {
  say(PROVIDER === "webgpu" ? `by WebGPU on ${await adapter()}` : `by ${PROVIDER}`);
  const status = await check({
    bytes,
    subtle: crypto.subtle,
    load: (file) => Model.load(file, PROVIDER),
    say,
    seen: picture,
  });
  document.title = `${JSON.parse(new TextDecoder().decode(await bytes("bundle.json"))).name} in a browser, by ${PROVIDER}`;
  document.querySelector("h1").textContent = document.title;
  return status;
}

const status = await main().catch((error) => {
  say(`cannot run: ${error.message}`);
  return 2;
});
document.body.className = ["right", "wrong", "unknown"][status];
// To check.js, if it is what serves the page.
await fetch("/status", { method: "POST", body: JSON.stringify({ status, said: lines.join("\n") }) }).catch(() => {});
