// What a session of onnxruntime takes and gives, checked and by name.

export const TYPES = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** A loaded model. `inputs` and `outputs`: [{ name, type, shape }] in order; a size that is open is a text. */
export class Session {
  constructor(ort, session) {
    this.ort = ort;
    this.session = session;
    this.inputs = session.inputMetadata;
    this.outputs = session.outputMetadata;
  }

  /**
   * All outputs by name, of inputs by name: { data, shape }, where `data` is a typed array, or an array of numbers.
   * Rejects where an input is missing, unknown, or of another shape.
   */
  async run(inputs) {
    const feeds = {};
    for (const { name, type, shape } of this.inputs) {
      if (!(name in inputs)) {
        throw new RangeError(`input ${name} is missing`);
      }
      const given = inputs[name];
      const fits =
        given.shape.length === shape.length &&
        shape.every((size, axis) => typeof size !== "number" || size < 0 || size === given.shape[axis]);
      const count = given.shape.reduce((product, size) => product * size, 1);
      if (!fits || count !== given.data.length) {
        throw new RangeError(
          `input ${name} has ${given.data.length} numbers of shape [${given.shape}], the model takes [${shape}]`,
        );
      }
      const data = given.data instanceof TYPES[type] ? given.data : TYPES[type].from(given.data);
      feeds[name] = new this.ort.Tensor(type, data, given.shape);
    }
    for (const name of Object.keys(inputs)) {
      if (!(name in feeds)) {
        throw new RangeError(`the model has no input ${name}`);
      }
    }
    const told = {};
    for (const [name, tensor] of Object.entries(await this.session.run(feeds))) {
      told[name] = { data: await tensor.getData(), shape: [...tensor.dims], type: tensor.type };
    }
    return told;
  }
}
