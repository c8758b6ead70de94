/** What is known of one label: alone, and for the text. */

import { ask } from "./api.js";
import { SOURCES, signed } from "./bars.js";
import { byId, el, number, plural, say, shorten } from "./dom.js";
import { drawMap } from "./map.js";

const panel = byId("detail");
let trail = [];
let asked = null;
let drawn = null;

export function closeDetail() {
  asked?.abort();
  trail = [];
  drawn = null;
  panel.hidden = true;
  panel.replaceChildren();
}

export const openedLabel = () => (panel.hidden ? null : trail[trail.length - 1]);

/** Show a label, for a text if there is one. `onto` adds it to the trail that Back goes along. */
export async function showDetail(label, text, { onto = false, closed = () => {} } = {}) {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  trail = onto ? [...trail, label] : [label];
  const again = (other) => showDetail(other, text, { onto: true, closed });
  panel.hidden = false;
  if (onto) panel.focus();
  try {
    const [card, found] = await Promise.all([
      ask(`v1/labels/${encodeURIComponent(label)}`, undefined, signal),
      text.trim() ? ask("v1/explain", { text, label }, signal) : null,
    ]);
    panel.replaceChildren(...parts(card, found, again, text, closed));
    drawn = { card, again };
    redraw();
  } catch (error) {
    if (error.name === "AbortError") return;
    const notice = el("p", { class: "notice" });
    say(notice, error.message, true);
    panel.replaceChildren(bar(text, closed), notice);
  }
}

/** Draw the neighbourhood as wide as there is room. */
export function redraw() {
  const place = byId("around");
  if (place && drawn && drawn.card.around.length) {
    place.replaceChildren(drawMap(drawn.card, Math.round(place.clientWidth) || 480, drawn.again));
  }
}

function parts(card, found, again, text, closed) {
  return [
    bar(text, closed),
    el("h2", {}, card.label),
    card.text === card.label ? null : el("p", {}, card.text),
    facts(card, found),
    ...shares(found),
    ...around(card, again),
    ...rows("Words and parts of words of the text", "what the dense score would lose without each",
      found?.terms.filter((one) => one.value > 0).map((one) => [one.name, signed(one.value)])),
    ...rows("Nearest of its train documents", "cosine with the text",
      found?.documents.map((one) => [one.name, one.value.toFixed(3)])
        ?? card.documents.map((name) => [name, ""])),
    ...rows("Predicted labels it is seen with", "their own score",
      found?.supporters.map((one) => [one.text, one.score === null ? "" : one.score.toFixed(3)])),
  ].filter(Boolean);
}

function bar(text, closed) {
  const back = trail.length > 1
    ? el("button", {
      type: "button",
      onclick: () => {
        const before = trail[trail.length - 2];
        trail = trail.slice(0, -2);
        showDetail(before, text, { onto: true, closed });
      },
    }, "Back")
    : el("span");
  const close = el("button", { type: "button", onclick: () => { closeDetail(); closed(); } }, "Close");
  return el("div", { class: "bar" }, back, close);
}

function facts(card, found) {
  const pairs = [["Train documents", number(card.frequency)]];
  if (found) {
    pairs.unshift(["Score", found.score === null ? "none" : found.score.toFixed(3)]);
    if (found.rank !== null) {
      pairs.splice(1, 0, ["Rank", found.candidates ? `${found.rank} of ${number(found.candidates)} candidates` : `${found.rank}`]);
    }
  }
  const list = el("dl", { class: "facts" }, pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  return found?.note ? el("div", {}, list, el("p", { class: "note" }, sentence(found.note))) : list;
}

function shares(found) {
  if (!found?.shares) return [];
  const there = Object.entries(found.shares).filter(([name, value]) => name in SOURCES && value !== 0);
  const lines = there.flatMap(([name, value]) => [
    el("dt", {}, el("i", { class: `key ${name}` }), SOURCES[name]), el("dd", {}, signed(value)),
  ]);
  return [
    el("h3", {}, "Where its dense score comes from"),
    el("dl", { class: "facts" }, lines, el("dt", {}, "dense score"), el("dd", {}, signed(found.dense))),
  ];
}

function around(card, again) {
  const title = el("h3", {}, "In the label graph");
  if (!card.around.length) return [title, el("p", { class: "note" }, "It has no edge in a label graph.")];
  const more = card.left_out ? ` ${plural(card.left_out, "more neighbour has a weaker edge", "more neighbours have weaker edges")} and ${card.left_out === 1 ? "is" : "are"} not shown.` : "";
  const chips = card.around.slice(0, card.near).map((one) => el("li", {},
    el("button", { type: "button", title: one.text, onclick: () => again(one.label) }, shorten(one.label, 40))));
  return [
    title,
    el("div", { id: "around" }),
    el("p", { class: "note" }, `Full colour: its neighbours; pale: theirs. Size: train documents. Width: weight.${more}`),
    el("ul", { class: "chips", "aria-label": "Its neighbours" }, chips),
  ];
}

function rows(title, note, pairs) {
  if (!pairs?.length) return [];
  const lines = pairs.map(([name, value]) => el("li", {}, el("span", {}, name), el("span", {}, value)));
  return [el("h3", {}, title), el("p", { class: "note" }, sentence(note)), el("ul", { class: "rows" }, lines)];
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;
