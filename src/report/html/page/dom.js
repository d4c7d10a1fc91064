// Elements, made one at a time: text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(child));
  }
  return node;
}

/** An HTML element. */
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets text only where it changes. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let measuring = null;

/** The text, cut so that it takes at most so many pixels. */
function cut(text, pixels, font) {
  measuring = measuring || document.createElement("canvas").getContext("2d");
  measuring.font = font;
  if (measuring.measureText(text).width <= pixels) return text;
  const letters = Array.from(text);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const fits = measuring.measureText(letters.slice(0, middle).join("") + "…").width <= pixels;
    if (fits) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("") + "…";
}

/** A figure that stays in the document as it was in the report: tests and screen readers read it there. */
function figure(value, format) {
  const node = h("b", { class: "figure" });
  setFigure(node, value, format);
  return node;
}

function setFigure(node, value, format) {
  say(node, value === null || value === undefined ? "–" : format(value));
  const raw = value === null || value === undefined ? "null" : String(value);
  if (node.getAttribute("data-value") !== raw) node.setAttribute("data-value", raw);
}
