/** Tables as RFC 4180 has them, in and out, with the separator that the file uses. */

/** Bytes to text: UTF-8, or where that is not it, Windows-1252, which never fails. */
export function decode(bytes) {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), encoding: "UTF-8" };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), encoding: "Windows-1252" };
  }
}

/** The separator that the first line has most of; a comma where it has none. */
export function separatorOf(text) {
  const line = text.slice(0, 10000).split(/\r?\n/, 1)[0].replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t"].map((one) => [one, line.split(one).length]);
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** Rows of a table; a quoted field may hold separators, quotes (doubled) and line ends. Empty lines are left out. */
export function parse(text, separator) {
  const rows = [];
  let row = [];
  let place = text.startsWith("\ufeff") ? 1 : 0;
  const end = () => {
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  while (place < text.length) {
    let value = "";
    if (text[place] === '"') {
      for (;;) {
        const close = text.indexOf('"', place + 1);
        if (close < 0) throw new Error(`row ${rows.length + 1} has a quote that is never closed`);
        value += text.slice(place + 1, close);
        place = close + 1;
        if (text[place] !== '"') break;
        value += '"';
      }
    }
    const start = place;
    while (place < text.length && text[place] !== separator && text[place] !== "\n" && text[place] !== "\r") place += 1;
    row.push(value + text.slice(start, place));
    if (text[place] === separator) {
      place += 1;
      if (place === text.length) row.push("");
      continue;
    }
    if (text[place] === "\r" && text[place + 1] === "\n") place += 1;
    place += 1;
    end();
  }
  if (row.length) end();
  return rows;
}

/** Rows as text; fields are quoted where they have to be. */
export function format(rows, separator) {
  const unsafe = new RegExp(`["\\r\\n${separator}]`);
  const field = (value) => (unsafe.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return rows.map((row) => `${row.map(field).join(separator)}\r\n`).join("");
}
