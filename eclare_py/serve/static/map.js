/** The neighbourhood of a label as a drawing: springs and charges, begun at places that are always the same. */

import { plural, shorten, svg } from "./dom.js";

const NARROW = 420; // pixels, below which only the nearest are drawn
const STEPS = 250;
const PARTINGS = 80;

/** Draw a label's card, `width` pixels wide; `choose(label)` is called for the one that was clicked. */
export function drawMap(card, width, choose) {
  const narrow = width < NARROW;
  const count = Math.min(card.around.length, narrow ? Math.min(card.near, 8) : card.around.length);
  const labels = [{ ...card, weight: null }, ...card.around.slice(0, count)];
  const edges = card.edges.filter(({ ends }) => ends[1] <= count);
  const height = Math.round(Math.min(Math.max(width * 0.8, 280), 480));
  const places = spread(labels, card.near, edges, width, height, narrow);
  const heaviest = Math.max(...edges.map((edge) => edge.weight), 1e-9);
  const lines = edges.map(({ ends: [a, b], weight }) => svg("line", {
    class: a === 0 ? "own" : null, x1: places[a].x, y1: places[a].y, x2: places[b].x, y2: places[b].y,
    "stroke-width": (0.6 + 3 * (weight / heaviest)).toFixed(2),
  }));
  const nodes = labels.map((label, place) => node(label, place, places[place], card.near, narrow, choose));
  const title = `${plural(card.around.length, "label")} around ${card.text}`;
  return svg("svg", { class: "map", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title },
    svg("g", { "aria-hidden": "true" }, lines), nodes.reverse());
}

function node(label, place, { x, y }, near, narrow, choose) {
  const radius = 3.5 + 1.8 * Math.log10(1 + label.frequency);
  const kind = place === 0 ? "self" : place <= near ? "near" : "far";
  const told = `${label.text}, ${plural(label.frequency, "train document")}`;
  const press = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(label.label);
  };
  const action = place === 0 ? {} : { role: "button", tabindex: 0, "aria-label": told, onclick: press, onkeydown: press };
  return svg("g", { class: kind, transform: `translate(${x} ${y})`, ...action },
    svg("title", {}, told),
    svg("circle", { r: radius.toFixed(1) }),
    svg("text", { y: radius + 12, "aria-hidden": place === 0 ? null : "true" }, nameOf(label, narrow)));
}

/** Places of labels: the first in the middle, its neighbours around it, theirs outside; then no name covers another. */
function spread(labels, near, edges, width, height, narrow) {
  const n = labels.length;
  const at = labels.map((_, place) => begin(place, n, near, width, height));
  const ideal = 0.5 * Math.sqrt((width * height) / Math.max(n, 4));
  for (let step = 0; step < STEPS; step += 1) {
    const force = at.map(({ x, y }) => ({ x: 0.05 * (width / 2 - x), y: 0.05 * (height / 2 - y) }));
    for (let i = 0; i < n; i += 1) for (let j = 0; j < i; j += 1) repel(at, force, i, j, ideal);
    for (const { ends: [a, b] } of edges) pull(at, force, a, b, ideal);
    const most = 12 * (1 - step / STEPS);
    for (let i = 1; i < n; i += 1) {
      const length = Math.hypot(force[i].x, force[i].y) || 1;
      const move = Math.min(length, most) / length;
      at[i].x += move * force[i].x;
      at[i].y += move * force[i].y;
    }
  }
  const boxes = labels.map((label) => ({ w: 7 * nameOf(label, narrow).length + 12, h: 36 }));
  fit(at, boxes, width, height);
  part(at, boxes, width, height);
  return at.map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) }));
}

function begin(place, n, near, width, height) {
  if (place === 0) return { x: width / 2, y: height / 2 };
  const inner = place <= near;
  const turn = inner ? (place - 1) / Math.max(near, 1) : (place - near - 0.5) / Math.max(n - 1 - near, 1);
  const radius = inner ? 0.25 : 0.4;
  const angle = 2 * Math.PI * turn;
  return { x: width / 2 + radius * width * Math.cos(angle), y: height / 2 + radius * height * Math.sin(angle) };
}

function repel(at, force, i, j, ideal) {
  const dx = at[i].x - at[j].x || 0.1 * (i - j);
  const dy = at[i].y - at[j].y || 0.1 * (i - j);
  const distance = Math.max(Math.hypot(dx, dy), 1);
  const push = (0.4 * ideal * ideal) / (distance * distance);
  force[i].x += push * dx; force[i].y += push * dy;
  force[j].x -= push * dx; force[j].y -= push * dy;
}

function pull(at, force, a, b, ideal) {
  const dx = at[b].x - at[a].x;
  const dy = at[b].y - at[a].y;
  const draw = (Math.hypot(dx, dy) / ideal) * 0.06;
  force[a].x += draw * dx; force[a].y += draw * dy;
  force[b].x -= draw * dx; force[b].y -= draw * dy;
}

/** Stretch or shrink to the picture, each direction for itself; the middle stays in the middle. */
function fit(at, boxes, width, height) {
  const reach = (axis, room, half) => Math.max(...at.map((one, i) => Math.abs(one[axis] - at[0][axis]) / Math.max(room - half(i), 1)), 1e-9);
  const x = reach("x", width / 2, (i) => boxes[i].w / 2);
  const y = reach("y", height / 2, () => 22);
  for (const one of at) {
    one.x = width / 2 + (one.x - width / 2) / x;
    one.y = height / 2 + (one.y - height / 2) / y;
  }
}

/** Push boxes that overlap apart, the way that is shorter; the first stays. */
function part(at, boxes, width, height) {
  for (let turn = 0; turn < PARTINGS; turn += 1) {
    for (let i = 1; i < at.length; i += 1) for (let j = 0; j < i; j += 1) {
      const dx = at[i].x - at[j].x;
      const dy = at[i].y - at[j].y;
      const overX = (boxes[i].w + boxes[j].w) / 2 - Math.abs(dx);
      const overY = (boxes[i].h + boxes[j].h) / 2 - Math.abs(dy);
      if (overX <= 0 || overY <= 0) continue;
      const [axis, over, side] = overY <= overX ? ["y", overY, dy || i - j] : ["x", overX, dx || i - j];
      const share = j === 0 ? 1 : 0.5;
      at[i][axis] += Math.sign(side) * over * share;
      at[j][axis] -= Math.sign(side) * over * (1 - share);
    }
    for (let i = 1; i < at.length; i += 1) {
      at[i].x = clamp(at[i].x, boxes[i].w / 2, width - boxes[i].w / 2);
      at[i].y = clamp(at[i].y, 14, height - 26);
    }
  }
}

const nameOf = (label, narrow) => shorten(label.label, narrow ? 14 : 20);
const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
