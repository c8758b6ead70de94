/** Scores as bars, cut into where they come from. */

import { el } from "./dom.js";

export const SOURCES = {
  text: "label text", graph: "label graph", documents: "its documents", free: "free vector", prior: "prior",
};

export function legend(sources) {
  return sources.map((name) => el("li", {}, el("i", { class: `key ${name}` }), SOURCES[name]));
}

/** A bar as long as the score; its parts are the positive shares of the dense score. */
export function meter(score, shares) {
  const bar = el("span", { class: "meter", "aria-hidden": "true" });
  const there = shares ? Object.entries(shares).filter(([name, value]) => name in SOURCES && value > 0) : [];
  const total = there.reduce((sum, [, value]) => sum + value, 0);
  for (const [name, value] of total > 0 ? there : [["whole", 1]]) {
    const part = el("i", { class: name });
    part.style.width = `${100 * score * (total > 0 ? value / total : 1)}%`;
    bar.append(part);
  }
  return bar;
}

/** The same in words. */
export function shareWords(shares) {
  if (!shares) return "";
  const there = Object.entries(shares).filter(([name, value]) => name in SOURCES && value !== 0);
  return there.map(([name, value]) => `${SOURCES[name]} ${signed(value)}`).join(", ");
}

export const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
