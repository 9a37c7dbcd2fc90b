// TOD-R against chance: a reader shuffles the columns of a matrix, all or some, and sees where its TOD-R goes (Eq. 22).

// The matrix with a share of its columns, drawn at random, in another order.
function shuffled({ bins, values }, share) {
  const draws = Array.from({ length: bins }, (_, i) => [Math.random(), i]).sort(([a], [b]) => a - b).map(([, i]) => i);
  const moved = draws.slice(0, Math.round(share * bins)), order = Array.from({ length: bins }, (_, i) => i);
  moved.forEach((column, i) => (order[column] = moved[(i + 1) % moved.length]));
  return { bins, values: values.map((_, i) => values[i - (i % bins) + order[i % bins]]) };
}

// Each ratio so far as a dot over a logarithmic axis, the last one filled, chance as a line.
function drawRatios(canvas, ratios, chance) {
  const paper = sheet(canvas), { context, width, height } = paper, all = [...ratios, chance].map(Math.log10);
  const low = Math.min(...all) - 0.1, span = Math.max(...all) + 0.1 - low, axis = height - 22;
  const at = (value) => 10 + ((Math.log10(value) - low) / span) * (width - 20);
  context.fillStyle = context.strokeStyle = paper.text;
  context.textAlign = "center";
  for (const tick of decades(low, low + span)) context.fillText(short(10 ** tick), at(10 ** tick), height - 6);
  context.fillRect(10, axis, width - 20, 1);
  context.setLineDash([2, 3]);
  context.strokeRect(at(chance), 14, 0, axis - 14);
  context.fillText("chance", at(chance), 10);
  context.setLineDash([]);
  context.strokeStyle = context.fillStyle = paper.ink("--nca-a");
  ratios.forEach((ratio, i) => {
    context.beginPath();
    context.arc(at(ratio), axis / 2 + 8, i === ratios.length - 1 ? 6 : 4, 0, 7);
    if (i === ratios.length - 1) context.fill();
    else context.stroke();
  });
}

async function render({ model, el }) {
  const views = await Promise.all(model.get("views").map(inflate)), colours = bytes(model.get("colours"));
  const choice = h("select", { ariaLabel: "matrix" }, ...views.map(({ label }, i) => h("option", { value: i }, label)));
  const share = h("input", { type: "range", min: 0, max: 100, value: 0, ariaLabel: "share of the columns that is shuffled" });
  const again = h("button", { type: "button" }, "Shuffle again"), said = h("output");
  const map = h("canvas", { className: "nca-map" }), dots = h("canvas", { className: "nca-strip" });
  const root = h("div", { className: "nca-explorer nca-lesson" },
    h("div", { className: "nca-tools" }, h("label", {}, "Matrix", choice), h("span", { className: "nca-zoom" }, again)),
    h("label", {}, "Columns shuffled", share), said, h("div", { className: "nca-sheets" }, map, dots));
  let ratios = [];

  function show(restart = false) {
    const original = decode(views[choice.value]), matrix = shuffled(original, share.value / 100);
    const region = { row: 0, col: 0, size: matrix.bins }, { todr, chance } = measure(matrix, region);
    ratios = restart ? [todr] : [...ratios.slice(-60), todr];
    said.textContent = `${share.value} % of the columns shuffled: TOD-R ${short(todr)}; chance ${short(chance)}`;
    root.dataset.todr = todr;
    const picture = paint(normalisedRows(matrix), colours, (value) => (value + 1) / 2);
    drawMap(map, picture, region, { row: -9, col: -9 }, model.get("bandwidth"));
    drawRatios(dots, ratios, chance);
  }
  choice.onchange = () => show(true);
  share.oninput = again.onclick = () => show();
  el.append(root);
  const sizes = new ResizeObserver(() => root.offsetWidth && show());
  sizes.observe(root);
  return () => sizes.disconnect();
}

export default { render };
