// What every script here uses; joined with it by saved.py and lessons.py.

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const short = (value) => (value === 0 ? "0" : Number.isFinite(value) ? String(Number(value.toPrecision(3))) : value > 0 ? "∞" : "none");
const lagged = (lag) => (lag ? `${Math.abs(lag)} frame${Math.abs(lag) > 1 ? "s" : ""} ${lag > 0 ? "before" : "after"}` : "the same frame");
const hertz = (value) => (value < 1000 ? `${Math.round(value)} Hz` : `${(value / 1000).toFixed(2)} kHz`);

function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    name in element && name !== "role" ? (element[name] = value) : element.setAttribute(name, value);
  element.append(...children);
  return element;
}
