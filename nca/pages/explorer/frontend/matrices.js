// The numbers that the explorer shows, and what it says of them; joined with explorer.js by saved.py.

async function inflate(view) {
  const stream = new Blob([bytes(view.code)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return { ...view, code: new Uint8Array(await new Response(stream).arrayBuffer()) };
}

// The numbers behind one view: a byte's low seven bits are a level in dB below the peak, its high bit the sign.
function decode({ bins, peak, range, code: codes }) {
  const table = Float32Array.from({ length: 256 }, (_, code) => {
    const level = code & 127;
    return level ? (code > 127 ? -1 : 1) * peak * 10 ** ((-range * (127 - level)) / 126 / 20) : 0;
  });
  return { bins, values: Float32Array.from(codes, (code) => table[code]) };
}

// The same matrix with a mask's own term, diag(m), which it was sent without.
function withMask({ bins, values }, mask) {
  const complete = values.slice(), gains = new Float32Array(bytes(mask).slice().buffer);
  gains.forEach((gain, band) => (complete[band * bins + band] += gain));
  return { bins, values: complete };
}

const peakOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function normalisedRows({ bins, values }) {
  const peaks = Array.from({ length: bins }, (_, row) => peakOf(values.subarray(row * bins, (row + 1) * bins)) || 1);
  return { bins, values: values.map((value, i) => value / peaks[Math.floor(i / bins)]) };
}

const difference = (a, b) => ({ bins: a.bins, values: a.values.map((value, i) => value - b.values[i]) });

// Eq. (22) on a square region, what independent entries would give there, and the mean magnitude over the distance from
// the diagonal.
function measure({ bins, values }, { row, col, size }) {
  const sums = new Float64Array(bins), counts = new Float64Array(bins);
  for (let r = row; r < row + size; r++)
    for (let c = col; c < col + size; c++) {
      const distance = Math.abs(r - c);
      sums[distance] += Math.abs(values[r * bins + c]);
      counts[distance] += 1;
    }
  const off = sums.reduce((total, sum) => total + sum, 0) - sums[0];
  const profile = Array.from(sums, (sum, d) => (counts[d] ? sum / counts[d] : NaN));
  const chance = (Math.sqrt(size) * counts[0]) / (size * size - counts[0]);
  return { todr: (Math.sqrt(size) * sums[0]) / off, chance, profile };
}

// The magnitude that all but a thousandth stay below, from a sample of the entries.
function limitOf(matrices) {
  const sample = matrices.flatMap(({ values }) => Array.from(values.filter((_, i) => i % 13 === 0), Math.abs));
  return sample.sort((a, b) => a - b)[Math.floor(sample.length * 0.999)] || 1;
}
