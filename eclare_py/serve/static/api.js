/** Requests to the server this page came from, and errors in words. */

const TRIES = 6;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Ask; where the server is busy, again after the time it names. */
export async function ask(path, body, signal) {
  for (let turn = 1; ; turn += 1) {
    const answer = await send(path, body, signal);
    if (answer.ok) return answer.json();
    const again = answer.status === 429 || answer.status === 503;
    if (!again || turn === TRIES) throw new ApiError(answer.status, await words(answer));
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await pause(1000 * Math.min(seconds, 10), signal);
  }
}

async function send(path, body, signal) {
  const options = { signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer. Is eclare serve still running?");
  }
}

async function words(answer) {
  if (answer.status === 401) return "The server wants its token. Load the page again and give it as the password.";
  try {
    const told = (await answer.json()).detail;
    if (told) return `The server refused: ${told}.`;
  } catch {
    // not JSON: the status has to do
  }
  return `The server answered with status ${answer.status}.`;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}
