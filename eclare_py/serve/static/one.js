/** Labels of one text, as it is typed. */

import { ask } from "./api.js";
import { legend, meter, shareWords } from "./bars.js";
import { closeDetail, openedLabel, showDetail } from "./detail.js";
import { byId, el, number, plural, say } from "./dom.js";
import { leastSlider } from "./least.js";

const WAIT = 150; // milliseconds without a key before the server is asked

export function startOne(model) {
  const text = byId("text");
  const list = byId("labels");
  const state = byId("state");
  const slider = leastSlider(byId("least"), model, show);
  let found = null;
  let timer = 0;
  let asked = null;
  byId("legend").replaceChildren(...(model.sources.length > 1 ? legend(model.sources) : []));

  function typed() {
    clearTimeout(timer);
    asked?.abort();
    const letters = [...text.value].length;
    byId("count").textContent = letters ? `${plural(letters, "character")} of at most ${number(model.limits.chars)}` : "";
    if (!text.value.trim()) {
      found = null;
      closeDetail();
      show();
    } else if (letters > model.limits.chars) {
      fail(`The text is too long: leave out ${plural(letters - model.limits.chars, "character")}.`);
    } else {
      timer = setTimeout(query, WAIT);
    }
  }

  async function query() {
    asked = new AbortController();
    const { signal } = asked;
    const body = { texts: [text.value], k: Number(byId("k").value), shares: model.explains };
    try {
      const answer = await ask("v1/predict", body, signal);
      found = answer.results[0].labels;
      show();
      const opened = openedLabel();
      if (opened) showDetail(opened, text.value, { closed: show });
    } catch (error) {
      if (error.name !== "AbortError") fail(error.message, true);
    }
  }

  function fail(message, again = false) {
    found = null;
    list.replaceChildren();
    const retry = el("button", { type: "button", class: "link", onclick: query }, "Try again");
    say(state, again ? [message, " ", retry] : message, true);
  }

  function show() {
    if (found === null) {
      list.replaceChildren();
      say(state, text.value.trim() ? "" : "Labels appear here as you type.");
      return;
    }
    const kept = found.filter(slider.keeps);
    const left = found.length - kept.length;
    if (!found.length) say(state, "No label was found: the model knows no word of this text.");
    else if (!kept.length) say(state, `None of ${plural(found.length, "label")} reaches ${slider.words()}. Move the slider to the left to see ${found.length === 1 ? "it" : "them"}.`);
    else say(state, left ? `${plural(left, "label")} below ${slider.words()} ${left === 1 ? "is" : "are"} hidden.` : "");
    list.replaceChildren(...kept.map(row));
  }

  function row(label) {
    const told = shareWords(label.shares);
    const pressed = openedLabel() === label.label;
    return el("li", {}, el("button", {
      type: "button", "aria-pressed": String(pressed), title: told ? `Dense score: ${told}` : null,
      onclick: () => { showDetail(label.label, text.value, { closed: show }); mark(label.label); },
    },
    el("span", { class: "name" }, label.label),
    el("span", { class: "score" }, el("span", { class: "hidden" }, "score "), label.score.toFixed(3)),
    meter(label.score, label.shares),
    label.text === label.label ? null : el("span", { class: "says" }, label.text),
    told ? el("span", { class: "hidden" }, `; dense score: ${told}`) : null));
  }

  function mark(label) {
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.querySelector(".name").textContent === label));
    }
  }

  text.addEventListener("input", typed);
  byId("k").addEventListener("change", typed);
  typed();
}
