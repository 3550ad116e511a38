"use strict";

// Check this folder in a browser: node check.js [--webgpu] [--serve]
//
// Serves the folder to a headless Chromium, whose page checks every file and every output, and prints what it says. Exits
// with 0 if all is right, 1 where a file was changed or an output is wrong, 2 where it cannot run. With --webgpu the page
// runs the model by WebGPU, and says on what: without a GPU, Chromium computes on the processor. With --serve it only serves,
// to be looked at. CHROMIUM names another browser.

const { spawn } = require("node:child_process");
const { webcrypto } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const SECONDS = 300;
const KINDS = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Where onnxruntime-web lies; what ort/ is served from unless it is in this folder. */
function library() {
  const own = path.join(__dirname, "ort");
  return fs.existsSync(own) ? own : path.join(path.dirname(require.resolve("onnxruntime-web")));
}

function serve(ort, told) {
  return http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://here").pathname).slice(1) || "index.html";
    if (request.method === "POST" && name === "status") {
      let text = "";
      request.on("data", (part) => (text += part));
      request.on("end", () => {
        response.end();
        told(JSON.parse(text));
      });
      return;
    }
    const [root, rest] = name.startsWith("ort/") ? [ort, name.slice(4)] : [__dirname, name];
    const file = path.join(root, rest);
    if (!file.startsWith(root + path.sep) || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": KINDS[path.extname(file)] ?? "application/octet-stream" });
    fs.createReadStream(file).pipe(response);
  });
}

function browser() {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"]
    .filter(Boolean)
    .find((name) => path.isAbsolute(name) || folders.some((folder) => fs.existsSync(path.join(folder, name))));
}

const asked = (word) => process.argv.includes(`--${word}`);

/** The page's path, and what the browser is told. */
function page() {
  const settings = ["--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking"];
  return asked("webgpu")
    ? ["?ep=webgpu", [...settings, "--enable-unsafe-webgpu"]]
    : ["", [...settings, "--disable-gpu"]];
}

/** Open a page in a browser of its own; `end` is told where that fails. What closes it again. */
function look(place, settings, end) {
  const program = browser();
  if (!program) {
    end({
      status: 2,
      said: "cannot run: no Chromium; set CHROMIUM to the path of one, or look yourself: node check.js --serve",
    });
    return () => {};
  }
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "check-"));
  const looking = spawn(program, [...settings, `--user-data-dir=${profile}`, place], {
    stdio: "ignore",
    detached: true,
  });
  looking.on("exit", (code) =>
    end({ status: 2, said: `cannot run: ${program} ended with ${code} before the page said anything` }),
  );
  looking.on("error", (error) => end({ status: 2, said: `cannot run ${program}: ${error.message}` }));
  return () => {
    try {
      process.kill(-looking.pid, "SIGKILL");
    } catch {
      // It never started, or is gone.
    }
    try {
      fs.rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch {
      // What is left of a browser may still write there; the system clears its temporary files.
    }
  };
}

async function main() {
  let close = () => {};
  const end = ({ status, said }) => {
    console.log(said);
    close();
    process.exit(status);
  };
  const { changed } = await import("./compare.mjs");
  const { bytes } = await import("./disk.mjs");
  const found = await changed(bytes, webcrypto.subtle);
  if (found.length) {
    end({ status: 1, said: `changed: ${found.join(", ")}` });
  }
  let ort;
  try {
    ort = library();
  } catch {
    end({ status: 2, said: "cannot run: onnxruntime-web is not installed; npm install" });
  }
  const serving = asked("serve");
  const server = serve(ort, serving ? () => {} : end);
  server.listen(0, "127.0.0.1", () => {
    const [query, settings] = page();
    const place = `http://127.0.0.1:${server.address().port}/${query}`;
    if (serving) {
      console.log(`open ${place}`);
      return;
    }
    close = look(place, settings, end);
    setTimeout(
      () => end({ status: 2, said: `cannot run: the page said nothing in ${SECONDS} s` }),
      1000 * SECONDS,
    ).unref();
  });
}

main();
