// Without Jupyter: what Python left in the page stands for a widget's model. Follows explorer.js in the one file of a saved page.

const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => (document.documentElement.dataset.theme = dark.matches ? "dark" : "light");
dark.addEventListener("change", theme);
theme();

const decodeBytes = (key, value) => (value?.base64 === undefined ? value : Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)));
for (const script of document.querySelectorAll("script.nca-state")) {
  const state = JSON.parse(script.textContent, decodeBytes);
  render({ model: { get: (name) => state[name], on() {} }, el: script.nextElementSibling });
}
