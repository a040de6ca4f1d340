// What the kernel sends in binary: one buffer, and its table of contents (name, type, length).  The kernel's half is frames.py.

export const copied = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer; // buffers come unaligned

// One flat array for each name.
export function readArrays(contents, view) {
  const TYPES = { f4: Float32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array };
  const bytes = copied(view);
  const arrays = {};
  let at = 0;
  for (const [name, type, length] of contents) {
    arrays[name] = new TYPES[type](bytes, at, length);
    at += Math.ceil(arrays[name].byteLength / 4) * 4;
  }
  return arrays;
}
