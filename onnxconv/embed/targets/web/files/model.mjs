// The model of this folder in a browser: load once, run many.
//
//   const model = await Model.load();
//   const { y } = await model.run({ x: { data: new Float32Array(12), shape: [1, 3, 2, 2] } });
//
// ort/ holds ort.wasm.min.mjs (for WebGPU ort.webgpu.min.mjs) and the .mjs and .wasm files beside it, from onnxruntime-web.

import { Session } from "./session.mjs";

const HERE = new URL("./", import.meta.url);

/** A loaded model; see `Session`. */
export class Model extends Session {
  /** Load a model by `provider`: "wasm" or "webgpu". Rejects where it cannot be read. */
  static async load(file = "model.onnx", provider = "wasm") {
    const ort = await import(new URL(`ort/ort.${provider}.min.mjs`, HERE));
    ort.env.wasm.wasmPaths = new URL("ort/", HERE).href;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const told = await fetch(new URL(file, HERE));
    if (!told.ok) {
      throw new Error(`${file}: ${told.status} ${told.statusText}`);
    }
    const session = await ort.InferenceSession.create(await told.arrayBuffer(), { executionProviders: [provider] });
    return new Model(ort, session);
  }
}
