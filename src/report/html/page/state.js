// What the page is about at the moment: a time, and something selected. Pictures ask to be told; those in sight are told
// at once, the others when there is a moment.

const state = { t: 0, end: 1, playing: false, speed: 1, selected: null, follow: false };
const pictures = [];
const selecting = [];
let sights = null;
let frame = 0;
let rest = 0;

/** `update(t)` is called whenever the time changes; `node` says whether it is in sight. */
function onTime(node, update) {
  const picture = { node, update, near: true, t: null };
  pictures.push(picture);
  sights = sights || new IntersectionObserver(seen, { rootMargin: "200px" });
  node.picture = picture;
  sights.observe(node);
}

function seen(entries) {
  for (const entry of entries) {
    const picture = entry.target.picture;
    picture.near = entry.isIntersecting;
    if (picture.near) bring(picture);
  }
}

function bring(picture) {
  if (picture.t === state.t) return;
  picture.t = state.t;
  picture.update(state.t);
}

function forget() {
  if (sights) sights.disconnect();
  sights = null;
  pictures.length = 0;
  selecting.length = 0;
}

/** Goes to a time. */
function seek(t) {
  state.t = Math.max(0, Math.min(state.end, t));
  if (!frame) frame = requestAnimationFrame(show);
}

function show() {
  frame = 0;
  for (const picture of pictures) if (picture.near) bring(picture);
  clearTimeout(rest);
  rest = setTimeout(settle, 60);
}

function settle() {
  if (state.playing) return;
  for (const picture of pictures) bring(picture);
  remember();
}

/** All pictures, at once. */
function showAll() {
  for (const picture of pictures) {
    picture.t = null;
    bring(picture);
  }
}

/** Selects a thing by its key (`service:order`, `call:a -> b`), or nothing; once more takes it back. */
function select(key) {
  state.selected = state.selected === key ? null : key;
  mark();
  remember();
}

function mark() {
  document.body.classList.toggle("has-selection", state.selected !== null);
  for (const node of document.querySelectorAll("[data-key]")) {
    node.classList.toggle("selected", node.getAttribute("data-key") === state.selected);
  }
  for (const update of selecting) update(state.selected);
}

function play(on) {
  if (on === state.playing) return;
  state.playing = on;
  document.body.classList.toggle("playing", on);
  if (!on) {
    settle();
    return;
  }
  if (state.t >= state.end - 1e-9) seek(0);
  let before = null;
  const tick = (now) => {
    if (!state.playing) return;
    if (before !== null) seek(state.t + ((now - before) / 1000) * state.speed);
    before = now;
    if (state.t >= state.end) play(false);
    else requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

/** The moment and the selection are in the address, so that they can be sent. */
function remember() {
  const parts = [`t=${Number(state.t.toFixed(3))}`];
  if (state.selected) parts.push(`of=${encodeURIComponent(state.selected)}`);
  try {
    history.replaceState(null, "", `#${parts.join("&")}`);
  } catch {
    // Some places that show a page do not let it have an address.
  }
}

function recall() {
  const found = {};
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value] = part.split("=");
    try {
      found[name] = decodeURIComponent(value || "");
    } catch {
      // Not an address of ours.
    }
  }
  const t = Number.parseFloat(found.t);
  return { t: Number.isFinite(t) ? t : null, of: found.of || null };
}
