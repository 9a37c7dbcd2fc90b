// A frame through the exact mapping (Eq. 14): units open and close, and the matrix that the network is changes with them.

const opened = (packed, frames, unit, t) => (packed[unit * frames + t >> 3] >> (7 - ((unit * frames + t) & 7))) & 1;

// Rows of D_dec W_dec D_enc W_enc for the lowest bands, at frame t.
function mapping({ decoder, encoder, bands, units, frames, hidden, output }, t) {
  const values = new Float32Array(bands * bands);
  for (let u = 0; u < units; u++)
    if (opened(hidden, frames, u, t))
      for (let r = 0; r < bands; r++)
        if (opened(output, frames, r, t))
          for (let c = 0, weight = decoder[r * units + u]; c < bands; c++) values[r * bands + c] += weight * encoder[u * bands + c];
  return { bins: bands, values };
}

function drawSpectrogram(canvas, levels, { bands, frames }, colours, t) {
  const picture = new OffscreenCanvas(frames, bands), image = picture.getContext("2d").createImageData(frames, bands);
  levels.forEach((level, i) => {
    const place = 4 * ((bands - 1 - Math.floor(i / frames)) * frames + (i % frames));
    image.data.set([...colours.subarray(3 * level, 3 * level + 3), 255], place);
  });
  picture.getContext("2d").putImageData(image, 0, 0);
  const { context, width, height } = sheet(canvas);
  context.drawImage(picture, 0, 0, width, height);
  context.fillStyle = "#fff";
  context.fillRect(((t + 0.5) / frames) * width - 1.5, 0, 3, height);
  context.fillStyle = "#000";
  context.fillRect(((t + 0.5) / frames) * width - 0.5, 0, 1, height);
}

// One cell a hidden unit: filled where it is open, ringed where it has changed since the frame that was shown before.
function drawUnits(canvas, { units, frames, hidden }, t, before) {
  const paper = sheet(canvas), { context, width } = paper, across = 27, side = width / across;
  for (let u = 0; u < units; u++) {
    const now = opened(hidden, frames, u, t), x = (u % across) * side, y = Math.floor(u / across) * side;
    context.globalAlpha = now ? 0.85 : 0.12;
    context.fillStyle = paper.text;
    context.fillRect(x + 1, y + 1, side - 2, side - 2);
    context.globalAlpha = 1;
    context.strokeStyle = paper.ink("--nca-b");
    if (now !== opened(hidden, frames, u, before)) context.strokeRect(x + 1, y + 1, side - 2, side - 2);
  }
}

async function render({ model, el }) {
  const [decoder, encoder] = await Promise.all(model.get("weights").map(async (code) => decode(await inflate(code)).values));
  const { bands, units, frames, start } = model.get("sizes"), [hidden, output, levels] = model.get("signals").map(bytes);
  const net = { decoder, encoder, bands, units, frames, hidden, output };
  const { level, signed } = Object.fromEntries(Object.entries(model.get("colours")).map(([name, view]) => [name, bytes(view)]));
  const slider = h("input", { type: "range", min: 0, max: frames - 1, value: start, ariaLabel: "frame" }), said = h("output");
  const strip = h("canvas", { className: "nca-strip" }), map = h("canvas", { className: "nca-map" });
  const cells = h("canvas", { className: "nca-units" });
  const root = h("div", { className: "nca-explorer nca-lesson" }, strip, slider, said,
    h("div", { className: "nca-sheets" },
      h("figure", {}, h("figcaption", {}, "The matrix of this frame, each row to its peak"), map),
      h("figure", {}, h("figcaption", {}, "Hidden units: open ones strong, changed ones ringed"), cells)));
  let before = start;

  function show() {
    const t = Number(slider.value), matrix = mapping(net, t), region = { row: 0, col: 0, size: bands };
    const count = (packed, all) => Array.from({ length: all }, (_, unit) => opened(packed, frames, unit, t)).reduce((a, b) => a + b);
    const changed = Array.from({ length: units }, (_, u) => opened(hidden, frames, u, t) ^ opened(hidden, frames, u, before));
    const { todr } = measure(matrix, region);
    said.textContent = `Frame ${t}, ${(t / model.get("rate")).toFixed(2)} s: ${count(hidden, units)} of ${units} hidden units and ` +
      `${count(output, bands)} of the ${bands} bands open; ${changed.reduce((a, b) => a + b)} units changed; TOD-R ${short(todr)}`;
    Object.assign(root.dataset, { todr, open: count(hidden, units) });
    drawSpectrogram(strip, levels, net, level, t);
    drawMap(map, paint(normalisedRows(matrix), signed, (value) => (value + 1) / 2), region, { row: -9, col: -9 }, model.get("bandwidth"));
    drawUnits(cells, net, t, before);
    before = t;
  }
  const drag = ({ offsetX, buttons, type }) => {
    if (!buttons && type !== "pointerdown") return;
    slider.value = Math.round((offsetX / strip.clientWidth) * frames);
    show();
  };
  slider.oninput = show;
  strip.onpointerdown = strip.onpointermove = drag;
  el.append(root);
  const sizes = new ResizeObserver(() => root.offsetWidth && show());
  sizes.observe(root);
  return () => sizes.disconnect();
}

export default { render };
