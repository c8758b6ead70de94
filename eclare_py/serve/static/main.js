/** Start: ask for the model, then the two tabs. */

import { ask } from "./api.js";
import { redraw } from "./detail.js";
import { byId, el, number, say } from "./dom.js";
import { startMany } from "./many.js";
import { startOne } from "./one.js";

const tabs = [byId("tab-one"), byId("tab-many")];

function choose(tab, focus = true) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !on;
  }
  if (focus) tab.focus();
  redraw();
}

function startTabs() {
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) choose(tabs[(place + step + tabs.length) % tabs.length]);
    });
  }
}

async function start() {
  const about = byId("about");
  try {
    const model = await ask("v1/model");
    document.title = `${model.name}: labels of a text`;
    about.textContent = `${model.name}: ${number(model.labels)} labels, trained on ${number(model.documents)} documents with the recipe ${model.recipe}`;
    startOne(model);
    startMany(model);
  } catch (error) {
    const again = el("button", { type: "button", class: "link", onclick: start }, "Try again");
    about.textContent = "";
    say(byId("state"), [error.message, " ", again], true);
  }
}

let timer = 0;
window.addEventListener("resize", () => {
  clearTimeout(timer);
  timer = setTimeout(redraw, 100);
});
startTabs();
start();
