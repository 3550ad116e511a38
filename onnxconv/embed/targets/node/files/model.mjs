// The model of this folder on onnxruntime: load once, run many.
//
//   const model = await Model.load();
//   const { y } = await model.run({ x: { data: new Float32Array(12), shape: [1, 3, 2, 2] } });
//
// From CommonJS: const { Model } = await import("./model.mjs").

import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Session } from "./session.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
// By require: import does not look in NODE_PATH.
const ort = createRequire(import.meta.url)("onnxruntime-node");

/** A loaded model; see `Session`. */
export class Model extends Session {
  /** Load a model; rejects where it cannot be read. */
  static async load(file = "model.onnx", options = {}) {
    const settings = { logSeverityLevel: 3, ...options };
    return new Model(ort, await ort.InferenceSession.create(path.resolve(HERE, file), settings));
  }
}
