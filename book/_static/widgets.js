// Shows the anywidgets of a page from the state that papermill left in it: no kernel, no network and no other library.

const KIND = "application/vnd.jupyter.widget-";
const decode = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// A model's values; its buffers, base64 beside them, go to their places.
function values({ state, buffers = [] }) {
  for (const { path, data } of buffers) path.slice(0, -1).reduce((inner, key) => inner[key], state)[path.at(-1)] = decode(data);
  return state;
}

async function show(script, saved) {
  const state = values(saved[JSON.parse(script.textContent).model_id]);
  if (!state._esm) throw new Error(`${state._model_name} is no anywidget; a page without a kernel cannot show it`);
  const source = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const { default: widget } = await import(source);
  URL.revokeObjectURL(source);
  const el = document.createElement("div"), style = document.createElement("style");
  style.textContent = state._css ?? "";
  const model = { get: (name) => state[name], set() {}, on() {}, off() {}, save_changes() {}, send() {} };
  script.before(style, el);
  await widget.render({ model, el });
}

addEventListener("DOMContentLoaded", () => {
  const saved = document.querySelector(`script[type="${KIND}state+json"]`);
  const views = document.querySelectorAll(`script[type="${KIND}view+json"]`);
  for (const script of views)
    if (saved) show(script, JSON.parse(saved.textContent).state);
    else for (const still of script.parentElement.querySelectorAll("noscript")) still.outerHTML = still.textContent; // in print
});
