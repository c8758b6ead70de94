/** Elements without HTML in strings: texts of labels and tables are texts, whatever they look like. */

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element: properties starting with "on" are listeners, the others attributes; false and null are left out. */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Show a message: a state, or with bad an error; empty hides it. */
export function say(element, message, bad = false) {
  element.replaceChildren(...[message].flat());
  element.classList.toggle("bad", bad);
}

export const number = (value) => value.toLocaleString("en");
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function shorten(words, letters) {
  return words.length <= letters ? words : `${words.slice(0, letters - 1).trimEnd()}…`;
}
