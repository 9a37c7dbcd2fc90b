// Matrices and curves on canvases, with their axes; joined with explorer.js by saved.py.

const EDGE = { left: 46, right: 8, top: 6, bottom: 36 };

function paint({ bins, values }, colours, shade) {
  const canvas = new OffscreenCanvas(bins, bins), context = canvas.getContext("2d");
  const image = context.createImageData(bins, bins), pixels = new Uint32Array(image.data.buffer);
  const packed = Uint32Array.from({ length: 256 }, (_, i) =>
    0xff000000 | (colours[3 * i + 2] << 16) | (colours[3 * i + 1] << 8) | colours[3 * i]);
  for (let row = 0; row < bins; row++)
    for (let col = 0; col < bins; col++)
      pixels[(bins - 1 - row) * bins + col] = packed[clamp(Math.round(shade(values[row * bins + col]) * 255), 0, 255)];
  context.putImageData(image, 0, 0);
  return canvas;
}

// A canvas sharp on any screen: its context in CSS pixels, and its size in them.
function sheet(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
  context.scale(ratio, ratio);
  context.font = `11px ${style.fontFamily}`;
  const ink = (name) => style.getPropertyValue(name).trim() || style.color;
  return { context, width, height, ink, text: style.color };
}

function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((high - first) / step + 1.001)) }, (_, i) => first + i * step);
}

// Logarithms of 1, 2 and 5 times powers of ten; of the powers alone where those suffice.
function decades(low, high) {
  const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const all = powers.flatMap((power) => [1, 2, 5].map((factor) => power + Math.log10(factor)));
  const within = (list) => list.filter((tick) => tick >= low && tick <= high);
  return within(powers).length > 1 ? within(powers) : within(all);
}

// Frequency axis along the bottom, or the left: kHz where it reaches beyond 2 kHz.
function frequencyAxis(paper, box, low, high, name, upright = false) {
  const { context, text } = paper, unit = high > 2000 ? 1000 : 1, span = high - low;
  context.fillStyle = text;
  context.textAlign = upright ? "right" : "center";
  context.textBaseline = upright ? "middle" : "top";
  for (const tick of ticks(low / unit, high / unit, upright ? 6 : box.width / 40)) {
    const share = (tick * unit - low) / span, label = String(Number(tick.toPrecision(6)));
    if (upright) context.fillText(label, box.left - 5, box.top + box.height * (1 - share));
    else context.fillText(label, box.left + box.width * share, box.top + box.height + 5);
  }
  const title = `${name}, ${unit === 1 ? "Hz" : "kHz"}`;
  context.save();
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.translate(upright ? 11 : box.left + box.width / 2, upright ? box.top + box.height / 2 : box.top + box.height + 30);
  if (upright) context.rotate(-Math.PI / 2);
  context.fillText(title, 0, 0);
  context.restore();
}

const inside = (width, height) =>
  ({ left: EDGE.left, top: EDGE.top, width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom });

function drawMap(canvas, picture, region, cursor, bandwidth) {
  const paper = sheet(canvas), { context } = paper, box = inside(paper.width, paper.height);
  const { row, col, size } = region, bins = picture.width;
  context.imageSmoothingEnabled = size > box.width * (window.devicePixelRatio || 1);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, col, bins - row - size, size, size, box.left, box.top, box.width, box.height);
  const x = box.left + ((cursor.col + 0.5 - col) / size) * box.width;
  const y = box.top + (1 - (cursor.row + 0.5 - row) / size) * box.height;
  for (const [ink, width] of [["#fffa", 3], ["#555", 1]]) {
    context.fillStyle = ink;
    if (y > box.top && y < box.top + box.height) context.fillRect(box.left, y - width / 2, box.width, width);
    if (x > box.left && x < box.left + box.width) context.fillRect(x - width / 2, box.top, width, box.height);
  }
  frequencyAxis(paper, box, col * bandwidth, (col + size) * bandwidth, "input band");
  frequencyAxis(paper, box, row * bandwidth, (row + size) * bandwidth, "output band", true);
}

// Lines over frequency; `logarithmic` sets the heights in decades, otherwise zero is drawn as a line.
function drawLines(canvas, lines, low, bandwidth, name, logarithmic = false) {
  const paper = sheet(canvas), { context } = paper, box = inside(paper.width, paper.height);
  const scale = logarithmic ? (value) => Math.log10(value) : (value) => value;
  const heights = lines.flatMap((line) => Array.from(line, scale)).filter(Number.isFinite);
  const bottom = Math.min(...heights, logarithmic ? Infinity : 0), top = Math.max(...heights, bottom + 1e-9);
  const up = (value) => box.top + box.height * (1 - (value - bottom) / (top - bottom));
  context.fillStyle = paper.text;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of logarithmic ? decades(bottom, top) : ticks(bottom, top, 4)) {
    context.fillText(short(logarithmic ? 10 ** tick : tick), box.left - 5, up(tick));
    context.globalAlpha = 0.15;
    context.fillRect(box.left, up(tick), box.width, 1);
    context.globalAlpha = 1;
  }
  lines.forEach((line, i) => {
    context.strokeStyle = paper.ink(i ? "--nca-b" : "--nca-a");
    context.globalAlpha = 0.85;
    context.beginPath();
    Array.from(line, scale).forEach((value, j) => {
      if (Number.isFinite(value)) context.lineTo(box.left + ((j + 0.5) / line.length) * box.width, up(value));
    });
    context.stroke();
  });
  frequencyAxis(paper, box, low, low + lines[0].length * bandwidth, name);
}
