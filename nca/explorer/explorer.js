// The explorer: couplings matrices to zoom, read band by band, compare and hear. No framework, nothing loaded from elsewhere.
// Python sends each matrix deflated, one byte an entry, see quantise.py; row = output band, column = input band.

const KEYS = ["model", "strategy", "song", "segment"];
const EDGE = { left: 46, right: 8, top: 6, bottom: 36 };
const SMALLEST = 8; // bands across the closest zoom
const LOWEST = 1100; // Hz that the figures enlarge
const HELP = "Arrow keys move the cross-hair, with shift they pan; + and − zoom, 0 shows all. Or drag, turn the wheel, pinch.";

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const short = (value) => (value === 0 ? "0" : Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "∞");
const hertz = (value) => (value < 1000 ? `${Math.round(value)} Hz` : `${(value / 1000).toFixed(2)} kHz`);

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    name in element && name !== "role" ? (element[name] = value) : element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- matrices -------------------------------------------------------------------------------------------------------

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

const peakOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function normalisedRows({ bins, values }) {
  const peaks = Array.from({ length: bins }, (_, row) => peakOf(values.subarray(row * bins, (row + 1) * bins)) || 1);
  return { bins, values: values.map((value, i) => value / peaks[Math.floor(i / bins)]) };
}

const difference = (a, b) => ({ bins: a.bins, values: a.values.map((value, i) => value - b.values[i]) });

// Eq. (22) on a square region, what independent entries would give there, and the mean magnitude over the distance from
// the diagonal.
export function measure({ bins, values }, { row, col, size }) {
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

// ---- drawing --------------------------------------------------------------------------------------------------------

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
  return within(powers).length > 2 ? within(powers) : within(all);
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

// ---- sound ----------------------------------------------------------------------------------------------------------

function players(parent, chosen, sounds) {
  parent.querySelectorAll("audio").forEach((audio) => URL.revokeObjectURL(audio.src));
  const wanted = new Map(); // a sound that two views share is offered once
  const shared = (key) => chosen.every(({ audio }) => audio.some((sound) => sound[1] === key));
  chosen.forEach(({ audio }, i) => audio.forEach(([label, key]) => wanted.set(key, shared(key) ? label : `${"AB"[i]}: ${label}`)));
  parent.replaceChildren(...Array.from(wanted, ([key, label]) => {
    const src = URL.createObjectURL(new Blob([bytes(sounds[key])], { type: "audio/mpeg" }));
    return h("label", { className: "nca-sound" }, label, h("audio", { src, controls: true, preload: "metadata", "aria-label": label }));
  }));
}

// ---- the view -------------------------------------------------------------------------------------------------------

async function render({ model, el }) {
  const state = { picks: [0, 0], compare: "one", colours: "signed", rows: true, region: null, cursor: null };
  const listening = new AbortController(), { signal } = listening;
  const unpacked = () => Promise.all(model.get("views").map(inflate));
  let views = await unpacked();
  const decoded = new Map(); // view -> its numbers, decoded when first shown
  const numbers = (view) => decoded.get(view.id) ?? decoded.set(view.id, decode(view)).get(view.id);

  const select = (label, name, options, now, change) => {
    const list = h("select", { name }, ...options.map(([value, text]) => h("option", { value, selected: value === now }, text)));
    list.addEventListener("change", () => change(list.value));
    return h("label", {}, h("span", {}, label), list);
  };
  const button = (label, sign, act) => {
    const key = h("button", { type: "button", title: label, "aria-label": label }, sign);
    key.addEventListener("click", act);
    return key;
  };

  const pickers = [0, 1].map((i) => h("div", { className: "nca-pickers", role: "group", "aria-label": `matrix ${"AB"[i]}` }));
  const maps = [0, 1].map(() => h("canvas", { className: "nca-map", tabIndex: 0, role: "application" }));
  const captions = maps.map(() => h("figcaption"));
  const figures = maps.map((map, i) => h("figure", {}, captions[i], map));
  const plots = ["row", "column", "profile"].map((name) => h("canvas", { className: "nca-plot", role: "img", "data-plot": name }));
  const titles = plots.map(() => h("figcaption"));
  const readout = h("output", { className: "nca-readout", "aria-live": "polite" });
  const measures = h("table", { className: "nca-measures" });
  const bar = h("div", { className: "nca-bar" }), barLabels = [0, 1, 2].map(() => h("span"));
  const sound = h("div", { className: "nca-sounds", role: "group", "aria-label": "listen" });
  const rows = h("input", { type: "checkbox", name: "rows", checked: true });
  rows.addEventListener("change", () => { state.rows = rows.checked; refresh(); });
  const setting = (label, name, options) => select(label, name, options, state[name], (value) => { state[name] = value; refresh(); });
  const compare = setting("show", "compare", [["one", "one matrix"], ["beside", "two side by side"], ["difference", "their difference"]]);
  const tools = h("div", { className: "nca-tools" }, compare,
    setting("colours", "colours", [["signed", "signed"], ["level", "magnitude in dB"]]),
    h("label", { className: "nca-check" }, rows, "each row to its peak"),
    h("span", { className: "nca-zoom", role: "group", "aria-label": "zoom" },
      button("zoom in", "+", () => zoom(0.5)), button("zoom out", "−", () => zoom(2)), button("show everything", "⤢", () => zoom(Infinity)),
      button(`the lowest ${hertz(LOWEST)}, as in Fig. 3`, "Fig. 3", () => place(0, 0, LOWEST / model.get("bandwidth")))));
  el.classList.add("nca-explorer");
  el.replaceChildren(...pickers, tools, h("div", { className: "nca-scale" }, barLabels[0], bar, ...barLabels.slice(1)),
    h("div", { className: "nca-views" }, h("div", { className: "nca-maps" }, ...figures),
      h("div", { className: "nca-beside" }, measures, readout,
        h("div", { className: "nca-plots" }, ...plots.map((plot, i) => h("figure", {}, titles[i], plot))))),
    sound, h("p", { className: "nca-help" }, HELP));

  const chosen = () => state.picks.slice(0, state.compare === "one" ? 1 : 2).map((i) => views[i]);
  const title = (view) => [...KEYS.slice(0, 3).map((key) => view[key]).filter(Boolean), `segment ${view.segment}`].join(", ");
  let shown = [], raw = [], found = []; // what the maps show, with pictures; the matrices as they are; their measures

  function pick(which, key, value) {
    const now = views[state.picks[which]], wanted = { ...now, [key]: value };
    const fit = (view) => (String(view[key]) === value ? 10 : 0) + KEYS.filter((k) => String(view[k]) === String(wanted[k])).length;
    state.picks[which] = views.reduce((best, view, i) => (fit(view) > fit(views[best]) ? i : best), 0);
    refresh();
  }

  function drawPickers() {
    pickers.forEach((group, which) => {
      group.hidden = which === 1 && state.compare === "one";
      const now = views[state.picks[which]], focused = group.contains(document.activeElement) && document.activeElement.name;
      const lists = KEYS.map((key) => [key, [...new Set(views.map((view) => String(view[key])))]]).filter(([, all]) => all.length > 1);
      const name = state.compare === "one" ? [] : [h("strong", { className: which ? "nca-b" : "nca-a" }, "AB"[which])];
      group.replaceChildren(...name, ...lists.map(([key, all]) =>
        select(key, key, all.map((value) => [value, value]), String(now[key]), (value) => pick(which, key, value))));
      if (focused) group.querySelector(`[name=${focused}]`)?.focus();
    });
    compare.hidden = views.length < 2;
  }

  // Chosen matrices have changed: numbers, pictures, players.
  function refresh() {
    raw = chosen().map(numbers);
    const scaled = state.rows ? raw.map(normalisedRows) : raw;
    const drawn = state.compare === "difference" ? [difference(...scaled)] : scaled;
    const level = state.colours === "level" && state.compare !== "difference", limit = limitOf(drawn);
    const peak = Math.max(...drawn.map(({ values }) => peakOf(values)));
    const shade = level ? (value) => 1 + Math.log10(Math.abs(value) / peak) / 3 : (value) => 0.5 + value / limit / 2;
    const colours = bytes(model.get("colours")[level ? "level" : "signed"]);
    shown = drawn.map((matrix) => ({ ...matrix, picture: paint(matrix, colours, shade) }));
    const stops = Array.from({ length: 18 }, (_, i) => `rgb(${colours.subarray(45 * i, 45 * i + 3).join()})`);
    bar.style.background = `linear-gradient(to right, ${stops})`;
    const ends = level ? ["−60 dB", "0 dB"] : [`−${short(limit)}`, short(limit)];
    [...ends, state.rows ? "of each row's peak" : level ? `of ${short(peak)}` : ""].forEach((text, i) => (barLabels[i].textContent = text));
    const { bins } = raw[0];
    state.region ??= { row: 0, col: 0, size: bins };
    state.cursor ??= { row: bins >> 4, col: bins >> 4 };
    figures[1].hidden = shown.length < 2;
    el.dataset.maps = shown.length;
    const names = chosen().map(title);
    captions[0].textContent = state.compare === "difference" ? `A − B: ${names.join(" − ")}` : names[0];
    captions[1].textContent = names[1] ?? "";
    maps.forEach((map, i) => map.setAttribute("aria-label", `Couplings matrix ${captions[i].textContent}. ${HELP}`));
    players(sound, chosen(), model.get("sounds"));
    drawPickers();
    place(state.region.row, state.region.col, state.region.size);
  }

  // Region or cross-hair has moved.
  function draw() {
    const { region, cursor } = state, bandwidth = model.get("bandwidth"), { row, col, size } = region;
    shown.forEach(({ picture }, i) => drawMap(maps[i], picture, region, cursor, bandwidth));
    const { bins } = raw[0];
    const line = (start, step) => shown.map(({ values }) => Float32Array.from({ length: size }, (_, i) => values[start + i * step]));
    const output = hertz(cursor.row * bandwidth), input = hertz(cursor.col * bandwidth);
    drawLines(plots[0], line(cursor.row * bins + col, 1), col * bandwidth, bandwidth, "input band");
    drawLines(plots[1], line(row * bins + cursor.col, bins), row * bandwidth, bandwidth, "output band");
    drawLines(plots[2], found.map(({ profile }) => profile.slice(0, size)), 0, bandwidth, "distance", true);
    [`What feeds ${output}`, `Where ${input} goes`, "Mean magnitude, by distance from the diagonal"].forEach((text, i) => {
      titles[i].textContent = text;
      plots[i].setAttribute("aria-label", `${text}, as a curve over frequency`);
    });
    const values = shown.map(({ values: all }) => short(all[cursor.row * bins + cursor.col])).join(" and ");
    readout.textContent = `output ${output} from input ${input}: ${values}`;
    const span = (start) => `${hertz(start * bandwidth)} to ${hertz((start + size) * bandwidth)}`;
    const whole = size === bins, where = whole ? "whole matrix" : `in ${span(col)}, out ${span(row)}`;
    const cells = (tag, ...texts) => texts.map((text) => h(tag, {}, text));
    const name = (i) => h("th", { className: i ? "nca-b" : "nca-a" }, found.length > 1 ? "AB"[i] : "matrix");
    const lines = found.map(({ todr, chance }, i) => h("tr", { "data-todr": todr }, name(i), ...cells("td", short(todr), short(chance))));
    measures.replaceChildren(h("caption", {}, where), h("tr", {}, ...cells("th", "", "TOD-R", "chance")), ...lines);
    maps.forEach((map) => (map.style.touchAction = whole ? "pan-y" : "none"));
    Object.assign(el.dataset, { row, col, size });
  }

  function place(row, col, size) {
    const { bins } = raw[0], whole = Math.round(clamp(size, Math.min(SMALLEST, bins), bins));
    const corner = (value) => Math.round(clamp(value, 0, bins - whole));
    state.region = { row: corner(row), col: corner(col), size: whole };
    found = raw.map((matrix) => measure(matrix, state.region));
    draw();
  }

  function zoom(factor, at = state.cursor) {
    const { row, col, size } = state.region, next = clamp(size * factor, SMALLEST, raw[0].bins), ratio = next / size;
    place(at.row - (at.row - row) * ratio, at.col - (at.col - col) * ratio, next);
  }

  function move(rows, cols) {
    const { bins } = raw[0], { row, col, size } = state.region;
    state.cursor = { row: clamp(state.cursor.row + rows, 0, bins - 1), col: clamp(state.cursor.col + cols, 0, bins - 1) };
    const follow = (start, at) => clamp(start, at - size + 1, at);
    place(follow(row, state.cursor.row), follow(col, state.cursor.col), size);
  }

  function handle(map) {
    const pointers = new Map();
    let scrolled = false; // the wheel zooms where the pointer has moved since the page was last scrolled
    const at = (event) => {
      const frame = map.getBoundingClientRect(), box = inside(frame.width, frame.height), { row, col, size } = state.region;
      const x = clamp((event.clientX - frame.left - box.left) / box.width, 0, 1 - 1e-9);
      const y = clamp((event.clientY - frame.top - box.top) / box.height, 1e-9, 1);
      return { row: row + (1 - y) * size, col: col + x * size, width: box.width };
    };
    const look = (event) => {
      const { row, col } = at(event);
      state.cursor = { row: Math.floor(row), col: Math.floor(col) };
      draw();
    };
    const pointer = (event) => pointers.set(event.pointerId, event);
    map.addEventListener("pointerdown", (event) => { pointer(event); map.setPointerCapture(event.pointerId); look(event); });
    for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, (event) => pointers.delete(event.pointerId));
    map.addEventListener("pointermove", (event) => {
      scrolled = false;
      const before = pointers.get(event.pointerId);
      if (!before) return look(event);
      const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
      const here = at(event), there = at(before), { row, col, size } = state.region;
      if (other) {
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        zoom(apart(before) / Math.max(apart(event), 1), here);
      } else if (Math.abs(here.row - there.row) < 1 && Math.abs(here.col - there.col) < 1) return; // not yet a band
      else place(row + there.row - here.row, col + there.col - here.col, size);
      pointer(event);
    });
    map.addEventListener("wheel", (event) => {
      if (scrolled && !event.ctrlKey) return;
      if (event.deltaY > 0 && state.region.size === raw[0].bins) return; // nothing left to zoom out: the page scrolls on
      event.preventDefault();
      zoom(2 ** clamp(event.deltaY / 200, -1, 1), at(event));
    }, { passive: false });
    window.addEventListener("scroll", () => (scrolled = true), { signal, passive: true });
    map.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? Math.ceil(state.region.size / 4) : 1, { row, col, size } = state.region;
      const ways = { ArrowUp: [step, 0], ArrowDown: [-step, 0], ArrowRight: [0, step], ArrowLeft: [0, -step] };
      const zooms = { "+": 0.5, "=": 0.5, "-": 2, 0: Infinity };
      if (event.key in ways) event.shiftKey ? place(row + ways[event.key][0], col + ways[event.key][1], size) : move(...ways[event.key]);
      else if (event.key in zooms) zoom(zooms[event.key]);
      else return;
      event.preventDefault();
    });
  }

  maps.forEach(handle);
  state.picks[1] = Math.min(1, views.length - 1);
  const resized = new ResizeObserver(() => raw.length && draw());
  const themed = new MutationObserver(() => draw());
  model.on("change:views", async () => { views = await unpacked(); state.picks = [views.length - 1, state.picks[0]]; refresh(); });
  refresh();
  resized.observe(el);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  themed.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  return () => { listening.abort(); resized.disconnect(); themed.disconnect(); };
}

export default { render };
