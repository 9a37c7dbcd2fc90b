// A page opened from a disk may not fetch its neighbours: there, search lists titles without their extracts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A table that is wider than its column has each line's values below each other, named by the column's heading.
const fit = (wrapper) => {
  wrapper.classList.remove("stacked");
  wrapper.classList.toggle("stacked", wrapper.scrollWidth > wrapper.clientWidth);
};

addEventListener("DOMContentLoaded", () => {
  const sizes = new ResizeObserver((changed) => requestAnimationFrame(() => changed.forEach(({ target }) => fit(target))));
  for (const wrapper of document.querySelectorAll("article :is(.table-wrapper, .pst-scrollable-table-container)")) {
    const [head, ...lines] = wrapper.querySelectorAll("tr");
    for (const line of lines) [...line.cells].forEach((cell, i) => (cell.dataset.label = head.cells[i].textContent));
    sizes.observe(wrapper);
  }
});

// A formula that is wider than its place is set smaller, so that all of it is seen.
const shrink = (formula) => {
  formula.dataset.size ??= parseFloat(formula.style.fontSize) || 100;
  formula.style.fontSize = `${formula.dataset.size}%`;
  const place = formula.clientWidth, needed = formula.firstElementChild.getBoundingClientRect().width;
  if (needed > place + 1) formula.style.fontSize = `${(formula.dataset.size * 0.98 * place) / needed}%`;
};

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const inside = (block) => block.querySelectorAll("mjx-container").forEach(shrink);
  const sizes = new ResizeObserver((changed) => requestAnimationFrame(() => changed.forEach(({ target }) => inside(target))));
  for (const block of new Set([...document.querySelectorAll("article mjx-container")].map((formula) => formula.parentElement))) sizes.observe(block);
});

// A term's definition: by pointing at it or reaching it with the keyboard; a first tap shows it, a second follows the link.
let shown = null;
const note = Object.assign(document.createElement("span"), { className: "definition", role: "tooltip" });
const hide = () => (note.remove(), (shown = null));
const define = (term) => {
  note.textContent = term.dataset.definition;
  term.append(note);
  shown = term;
  note.style.left = "0";
  const { left, right } = note.getBoundingClientRect(), width = document.documentElement.clientWidth;
  note.style.left = `${Math.max(Math.min(0, width - 8 - right), 8 - left)}px`;
};

addEventListener("DOMContentLoaded", () => {
  for (const term of document.querySelectorAll("a.term[title]")) {
    term.dataset.definition = term.title;
    term.setAttribute("aria-description", term.title);
    term.removeAttribute("title");
    term.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && define(term));
    term.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && hide());
    term.addEventListener("focus", () => term.matches(":focus-visible") && define(term));
    term.addEventListener("blur", hide);
    term.addEventListener("click", (event) => {
      if (shown === term) return;
      event.preventDefault();
      define(term);
    });
  }
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("pointerdown", ({ target }) => shown && !shown.contains(target) && hide());
});

// A figure opens by itself, at its full size, where a page is too narrow for what it shows.
addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll("article figure img:not(a img)")) {
    const link = Object.assign(document.createElement("a"), { href: image.src, className: "figure" });
    image.replaceWith(link);
    link.append(image);
  }
});

// On paper a link to a picture's file leads nowhere.
const figures = () => document.querySelectorAll("a.figure");
addEventListener("beforeprint", () => figures().forEach((link) => link.removeAttribute("href")));
addEventListener("afterprint", () => figures().forEach((link) => (link.href = link.firstChild.src)));
