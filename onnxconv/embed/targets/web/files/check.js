"use strict";

// Check this folder in a browser: node check.js [--serve]
//
// Serves the folder to a headless Chromium, whose page checks every file and every output, and prints what it says. Exits
// with 0 if all is right, 1 where a file was changed or an output is wrong, 2 where it cannot run. With --serve it only
// serves, to be looked at. CHROMIUM names another browser.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const SECONDS = 300;
const KINDS = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };

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

function main() {
  let ort;
  try {
    ort = library();
  } catch {
    console.log("cannot run: onnxruntime-web is not installed; npm install");
    process.exitCode = 2;
    return;
  }
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "check-"));
  let looking;
  const end = (found) => {
    console.log(found.said);
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
    process.exit(found.status);
  };
  const serving = process.argv.includes("--serve");
  const server = serve(ort, serving ? () => {} : end);
  server.listen(0, "127.0.0.1", () => {
    const place = `http://127.0.0.1:${server.address().port}/`;
    if (serving) {
      console.log(`open ${place}`);
      return;
    }
    const program = browser();
    if (!program) {
      end({ status: 2, said: "cannot run: no Chromium; set CHROMIUM to the path of one, or look yourself: node check.js --serve" });
      return;
    }
    const settings = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    looking = spawn(program, [...settings, `--user-data-dir=${profile}`, place], { stdio: "ignore", detached: true });
    looking.on("exit", (code) => end({ status: 2, said: `cannot run: ${program} ended with ${code} before the page said anything` }));
    looking.on("error", (error) => end({ status: 2, said: `cannot run ${program}: ${error.message}` }));
    setTimeout(() => end({ status: 2, said: `cannot run: the page said nothing in ${SECONDS} s` }), 1000 * SECONDS).unref();
  });
}

main();
