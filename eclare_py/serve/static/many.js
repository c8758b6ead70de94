/** A table in, the same table with labels out, in steps that the server takes. */

import { ask } from "./api.js";
import { decode, format, parse, separatorOf } from "./csv.js";
import { byId, el, number, plural, say, shorten } from "./dom.js";
import { leastSlider } from "./least.js";

const LARGEST = 100e6; // bytes of a file
const PREVIEW = 5;
const LIKELY = /^(text|title|content|description|abstract|summary|name|subject|body)$/i;
const ADDED = ["labels", "label_texts", "scores"];
const BETWEEN = "|"; // as `eclare data import --sep "|"` reads it

export function startMany(model) {
  const slider = leastSlider(byId("many-least"), model, () => {});
  const state = byId("file-state");
  let table = null;
  let running = null;
  let link = null;

  async function open(file) {
    running?.abort();
    table = null;
    for (const id of ["plan", "progress", "result"]) byId(id).hidden = true;
    if (!file) return say(state, "");
    try {
      table = await read(file);
    } catch (error) {
      return say(state, `${file.name}: ${error.message}.`, true);
    }
    const { header, rows, encoding } = table;
    say(state, `${file.name}: ${plural(rows.length, "row")}, ${plural(header.length, "column")}, read as ${encoding}.`);
    const likely = header.map((name) => LIKELY.test(name.trim()));
    if (!likely.includes(true)) likely[0] = true;
    byId("columns").replaceChildren(...header.map((name, place) => el("label", {},
      el("input", { type: "checkbox", value: place, checked: likely[place] }), ` ${shorten(name || `column ${place + 1}`, 40)}`)));
    byId("plan").hidden = false;
    return undefined;
  }

  async function start(event) {
    event.preventDefault();
    const columns = [...byId("columns").querySelectorAll("input:checked")].map((box) => Number(box.value));
    if (!columns.length) return say(state, "Choose at least one column that holds the text.", true);
    const current = table;
    running = new AbortController();
    busy(true);
    say(state, "");
    byId("result").hidden = true;
    try {
      const { signal } = running;
      const settings = { k: Number(byId("many-k").value), ...slider.request() };
      const { found, cut } = await labelAll(texts(current, columns), settings, model.limits, signal, progress());
      finish(current, found, cut);
    } catch (error) {
      if (error.name === "AbortError") say(state, "Stopped. Nothing was saved.");
      else say(state, error.message, true);
      byId("progress").hidden = true;
    } finally {
      busy(false);
    }
    return undefined;
  }

  function busy(now) {
    byId("start").disabled = now;
    byId("cancel").hidden = !now;
    if (now) byId("progress").hidden = false;
  }

  function finish(current, found, cut) {
    const extra = found.map((labels) => [
      labels.map((one) => one.label).join(BETWEEN),
      labels.map((one) => one.text).join(BETWEEN),
      labels.map((one) => one.score.toFixed(4)).join(BETWEEN),
    ]);
    const named = ADDED.map((name) => (current.header.includes(name) ? `${name}_eclare` : name));
    const rows = [[...current.header, ...named], ...current.rows.map((row, i) => [...row, ...extra[i]])];
    if (link) URL.revokeObjectURL(link);
    link = URL.createObjectURL(new Blob([current.mark, format(rows, current.separator)], { type: "text/csv" }));
    byId("download").href = link;
    byId("download").download = current.name.replace(/(\.[^.]*)?$/, "-labels.csv");
    byId("preview").replaceChildren(...preview(rows));
    byId("result").hidden = false;
    const without = found.filter((labels) => !labels.length).length;
    const notes = [`Done: ${plural(found.length, "row")}.`];
    if (without) notes.push(`${plural(without, "row has", "rows have")} no label.`);
    if (cut) notes.push(`${plural(cut, "text was", "texts were")} cut to ${number(model.limits.chars)} characters.`);
    say(state, notes.join(" "));
  }

  byId("file").addEventListener("change", (event) => open(event.target.files[0]));
  byId("plan").addEventListener("submit", start);
  byId("cancel").addEventListener("click", () => running?.abort());
  dropping(byId("drop"), open);
}

async function read(file) {
  if (file.size > LARGEST) throw new Error("the file is larger than 100 MB; use eclare predict for it");
  const { text, encoding } = decode(await file.arrayBuffer());
  const separator = separatorOf(text);
  const [header, ...rows] = parse(text, separator);
  if (!header) throw new Error("the file is empty");
  if (!rows.length) throw new Error("there is no row below the names of the columns");
  const odd = rows.findIndex((row) => row.length !== header.length);
  if (odd >= 0) {
    throw new Error(`row ${odd + 1} has ${plural(rows[odd].length, "field")}, the first line ${header.length}`);
  }
  return { name: file.name, header, rows, separator, encoding, mark: text.startsWith("\ufeff") ? "\ufeff" : "" };
}

const texts = (table, columns) => table.rows.map((row) => columns.map((place) => row[place].trim()).filter(Boolean).join(" "));

/** Labels of every text, in order; an empty one has none. */
async function labelAll(all, settings, limits, signal, told) {
  const found = all.map(() => []);
  let cut = 0;
  const wanted = [];
  all.forEach((text, place) => {
    const letters = text.length > limits.chars ? [...text] : null;
    if (letters && letters.length > limits.chars) cut += 1;
    const short = letters ? letters.slice(0, limits.chars).join("") : text;
    if (short) wanted.push({ place, text: short.toWellFormed?.() ?? short });
  });
  for (let done = 0; done < wanted.length;) {
    const chunk = nextChunk(wanted, done, limits);
    const answer = await ask("v1/predict", { texts: chunk.map((one) => one.text), ...settings }, signal);
    answer.results.forEach((one, i) => { found[chunk[i].place] = one.labels; });
    done += chunk.length;
    told(done, wanted.length);
  }
  told(wanted.length, wanted.length);
  return { found, cut };
}

/** As many texts as a request may have, by number and by bytes. */
function nextChunk(wanted, from, limits) {
  const encoder = new TextEncoder();
  let bytes = 1000;
  const chunk = [];
  while (from + chunk.length < wanted.length && chunk.length < limits.texts) {
    bytes += encoder.encode(JSON.stringify(wanted[from + chunk.length].text)).length + 1;
    if (chunk.length && bytes > limits.body) break;
    chunk.push(wanted[from + chunk.length]);
  }
  return chunk;
}

function progress() {
  const begun = performance.now();
  byId("bar").value = 0;
  byId("rows").textContent = "";
  return (done, all) => {
    byId("bar").value = all ? done / all : 1;
    const left = Math.ceil(((performance.now() - begun) / Math.max(done, 1) / 1000) * (all - done));
    byId("rows").textContent = `${number(done)} of ${plural(all, "text")}${done < all ? `, about ${number(left)} s left` : ""}`;
  };
}

function preview(rows) {
  const cells = (row, tag) => el("tr", {}, row.map((value) => el(tag, tag === "th" ? { scope: "col" } : {}, shorten(value, 120))));
  const body = rows.slice(1, 1 + PREVIEW).map((row) => cells(row, "td"));
  return [el("caption", { class: "hidden" }, "The first rows"), el("thead", {}, cells(rows[0], "th")), el("tbody", {}, body)];
}

function dropping(place, open) {
  const over = (event, on) => {
    event.preventDefault();
    place.classList.toggle("over", on);
  };
  place.addEventListener("dragover", (event) => over(event, true));
  place.addEventListener("dragleave", (event) => over(event, false));
  place.addEventListener("drop", (event) => {
    over(event, false);
    byId("file").value = "";
    open(event.dataTransfer.files[0]);
  });
}
