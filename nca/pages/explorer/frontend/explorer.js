// The explorer: couplings matrices to zoom, read band by band, compare and hear. No framework, nothing loaded from elsewhere.
// Python sends each matrix deflated, one byte an entry, see quantise.py; row = output band, column = input band. A browser gets
// this file as one with common.js, matrices.js (the numbers) and drawing.js (the canvases), see saved.py.

const KEYS = ["model", "strategy", "song", "segment"]; // what matrices are picked by, beside their lag
const SMALLEST = 8; // bands across the closest zoom
const LOWEST = 1100; // Hz that the figures enlarge
const HELP = "Arrow keys move the cross-hair, with shift they pan; + and − zoom, 0 shows all. Or drag, turn the wheel, pinch.";

function players(parent, chosen, sounds) {
  const wanted = new Map(); // a sound that two views share is offered once
  const shared = (key) => chosen.every(({ audio }) => audio.some((sound) => sound[1] === key));
  chosen.forEach(({ audio }, i) => audio.forEach(([label, key]) => wanted.set(key, shared(key) ? label : `${"AB"[i]}: ${label}`)));
  const keys = JSON.stringify([...wanted]);
  if (parent.dataset.sounds === keys) return; // what plays goes on playing
  parent.dataset.sounds = keys;
  parent.querySelectorAll("audio").forEach((audio) => URL.revokeObjectURL(audio.src));
  parent.replaceChildren(...Array.from(wanted, ([key, label]) => {
    const src = URL.createObjectURL(new Blob([bytes(sounds[key])], { type: "audio/mpeg" }));
    return h("label", { className: "nca-sound" }, label, h("audio", { src, controls: true, preload: "metadata", "aria-label": label }));
  }));
}

async function render({ model, el }) {
  const state = { picks: [0, 0], compare: "one", colours: "signed", rows: true, response: false, region: null, cursor: null };
  const listening = new AbortController(), { signal } = listening;
  const unpacked = () => Promise.all(model.get("views").map(inflate));
  let views = await unpacked();
  const decoded = new Map(); // view -> its numbers, decoded when first shown
  const sent = (view) => decoded.get(view.id) ?? decoded.set(view.id, decode(view)).get(view.id);
  const numbers = (view) => (view.mask && !state.response ? withMask(sent(view), view.mask) : sent(view));
  const lags = () => [...new Set(views.map(({ lag }) => lag))].sort((a, b) => a - b);

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
  const sliders = pickers.map((_, which) => {
    const slider = h("input", { type: "range", name: "lag", min: 0, "aria-label": "lag" });
    slider.addEventListener("input", () => pick(which, "lag", String(lags()[slider.value])));
    return slider;
  });
  const lagLabels = sliders.map(() => h("output"));
  const lagRows = sliders.map((slider, i) => h("label", { className: "nca-lag" }, h("span", {}, "input from"), slider, lagLabels[i]));
  const maps = [0, 1].map(() => h("canvas", { className: "nca-map", tabIndex: 0, role: "application" }));
  const captions = maps.map(() => h("figcaption"));
  const figures = maps.map((map, i) => h("figure", {}, captions[i], map));
  const plots = ["row", "column", "profile"].map((name) => h("canvas", { className: "nca-plot", role: "img", "data-plot": name }));
  const titles = plots.map(() => h("figcaption"));
  const readout = h("output", { className: "nca-readout", "aria-live": "polite" });
  const measures = h("table", { className: "nca-measures" });
  const bar = h("div", { className: "nca-bar" }), barLabels = [0, 1, 2].map(() => h("span"));
  const sound = h("div", { className: "nca-sounds", role: "group", "aria-label": "listen" });
  const check = (name, label) => {
    const box = h("input", { type: "checkbox", name, checked: state[name] });
    box.addEventListener("change", () => { state[name] = box.checked; refresh(); });
    return h("label", { className: "nca-check" }, box, label);
  };
  const response = check("response", "without the mask's own term");
  const setting = (label, name, options) => select(label, name, options, state[name], (value) => { state[name] = value; refresh(); });
  const compare = setting("show", "compare", [["one", "one matrix"], ["beside", "two side by side"], ["difference", "their difference"]]);
  const tools = h("div", { className: "nca-tools" }, compare,
    setting("colours", "colours", [["signed", "signed"], ["level", "magnitude in dB"]]),
    check("rows", "each row to its peak"), response,
    h("span", { className: "nca-zoom", role: "group", "aria-label": "zoom" },
      button("zoom in", "+", () => zoom(0.5)), button("zoom out", "−", () => zoom(2)), button("show everything", "⤢", () => zoom(Infinity)),
      button(`the lowest ${hertz(LOWEST)}, as in Fig. 3`, "Fig. 3", () => place(0, 0, LOWEST / model.get("bandwidth")))));
  el.classList.add("nca-explorer");
  el.replaceChildren(pickers[0], lagRows[0], pickers[1], lagRows[1], tools, h("div", { className: "nca-scale" }, barLabels[0], bar, ...barLabels.slice(1)),
    h("div", { className: "nca-views" }, h("div", { className: "nca-maps" }, ...figures),
      h("div", { className: "nca-beside" }, measures, readout,
        h("div", { className: "nca-plots" }, ...plots.map((plot, i) => h("figure", {}, titles[i], plot))))),
    sound, h("p", { className: "nca-help" }, HELP));

  const chosen = () => state.picks.slice(0, state.compare === "one" ? 1 : 2).map((i) => views[i]);
  const bare = (view) => state.response && view.mask && "without the mask's own term";
  const title = (view) => [...KEYS.slice(0, 3).map((key) => view[key]),
    views.some(({ segment }) => segment !== view.segment) && `segment ${view.segment}`,
    lags().length > 1 && `input from ${lagged(view.lag)}`, bare(view), view.note].filter(Boolean).join(", ") || "couplings";
  let shown = [], raw = [], found = []; // what the maps show, with pictures; the matrices as they are; their measures

  function pick(which, key, value) {
    const now = views[state.picks[which]], wanted = { ...now, [key]: value };
    const fit = (view) => (String(view[key]) === value ? 10 : 0) + [...KEYS, "lag"].filter((k) => String(view[k]) === String(wanted[k])).length;
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
    response.hidden = !views.some(({ mask }) => mask);
    lagRows.forEach((row, which) => {
      const all = lags(), { lag } = views[state.picks[which]];
      row.hidden = all.length < 2 || pickers[which].hidden;
      Object.assign(sliders[which], { max: all.length - 1, value: all.indexOf(lag) });
      lagLabels[which].value = lagged(lag);
    });
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
  state.picks[0] = Math.max(0, views.findIndex(({ lag }) => lag === 0));
  state.picks[1] = Math.min(state.picks[0] + 1, views.length - 1);
  const resized = new ResizeObserver(() => raw.length && draw());
  const themed = new MutationObserver(() => draw());
  model.on("change:views", async () => {
    const before = views.length;
    views = await unpacked();
    const added = views.findIndex(({ lag }, i) => i >= before && lag === 0);
    state.picks = [added < 0 ? views.length - 1 : added, state.picks[0]];
    refresh();
  });
  refresh();
  resized.observe(el);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  themed.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  return () => { listening.abort(); resized.disconnect(); themed.disconnect(); };
}

export default { render };
