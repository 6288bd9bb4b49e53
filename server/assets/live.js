// Keeps an open page true: when the server says that something changed, the page asks for itself again and takes over
// the parts marked `data-live`. It sends nothing and stores nothing; without it, pages are as they were when loaded.
"use strict";

const sign = document.getElementById("live");
const countdown = document.getElementById("live-wait");
const parts = () => [...document.querySelectorAll("[data-live]")];
const PAUSE = 1000; // between two renewals at least; of a slow server's pages, ten times as long as one takes
const REFRESH = 60000; // times in words grow old
const FIRST_TRY = 1000, LAST_TRY = 60000; // between two attempts to connect: each twice as long as the one before

let last = Date.now(), took = 0, waiting = null; // the last renewal, and the one that is due
let source = null, connected = false, attempts = 0, retry = null; // the connection, and the attempt that is due

function say(state, words, more = "") {
  if (countdown.textContent !== more) countdown.textContent = more;
  if (sign.dataset.state === state && sign.textContent === words) return;
  sign.dataset.state = state;
  sign.textContent = words;
}

// Many pages that lost one server must not come back in one moment.
const scattered = (pause) => pause * (0.5 + Math.random());

function soon() {
  if (waiting || !parts().length) return;
  due(Math.max(150, Math.max(PAUSE, 10 * took) - (Date.now() - last)));
}

function due(pause) {
  waiting ??= setTimeout(() => { waiting = null; renew(); }, pause);
}

// Whether the server answered; "out" when it wants a login.
async function renew() {
  if (document.hidden) { document.addEventListener("visibilitychange", soon, { once: true }); return "hidden"; }
  last = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { "x-holdfast-renewal": "1", accept: "text/html" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") { end("logged out – reload to log in"); return "out"; }
    if (!answer.ok) { due(scattered(5 * PAUSE)); return "lost"; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    took = Date.now() - last;
    for (const part of parts()) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.innerHTML) takeOver(part, fresh);
    }
    return "fine";
  } catch { return "lost"; }
}

// What is open stays open, and what has the focus keeps it.
function takeOver(part, fresh) {
  for (const details of part.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  }
  const scrolled = [...part.querySelectorAll(".scroll, .history")].map((box) => box.scrollLeft);
  const focus = part.contains(document.activeElement) ? document.activeElement : null;
  const key = focus && (focus.getAttribute("href") || focus.id || focus.tagName);
  const twins = (root) => [...root.querySelectorAll("a, summary, button, [tabindex]")].filter((element) => (element.getAttribute("href") || element.id || element.tagName) === key);
  const index = focus ? twins(part).indexOf(focus) : -1;
  part.replaceChildren(...document.adoptNode(fresh).childNodes);
  part.querySelectorAll(".scroll, .history").forEach((box, at) => { box.scrollLeft = scrolled[at] ?? box.scrollLeft; });
  if (index >= 0) (twins(part)[index] || twins(part)[0])?.focus({ preventScroll: true });
}

function connect() {
  clearTimeout(retry);
  retry = null;
  source?.close();
  source = new EventSource("/live");
  source.addEventListener("open", () => {
    attempts = 0;
    say("on", "live");
    if (connected) soon(); // what happened meanwhile was not heard
    connected = true;
  });
  source.addEventListener("changed", soon);
  source.addEventListener("gave-way", () => {
    disconnect();
    connected = true;
    say("paused", "not live", " – a newer page of yours is; come back to this one to go on");
  });
  // Browsers try again after a lost connection alone, and never after an answer such as 503: here it is always tried.
  source.addEventListener("error", async () => {
    disconnect();
    connected = true;
    if (await renew() !== "out") later();
  });
}

function disconnect() {
  source?.close();
  source = null;
}

function later() {
  const at = Date.now() + scattered(Math.min(LAST_TRY, FIRST_TRY * 2 ** attempts++));
  const tick = () => {
    const left = at - Date.now();
    if (left <= 0) { say("lost", "not live", " – trying again"); connect(); return; }
    say("lost", "not live", ` – trying again in ${Math.ceil(left / 1000)} s`);
    retry = setTimeout(tick, Math.min(1000, left));
  };
  clearTimeout(retry);
  tick();
}

function end(words) {
  clearTimeout(retry);
  disconnect();
  say("ended", words);
}

// Anyone who comes back to the page, or to the network, does not wait for the next attempt.
function comeBack() {
  if (!document.hidden && !source && sign.dataset.state !== "ended") connect();
}

addEventListener("online", comeBack);
addEventListener("focus", comeBack);
document.addEventListener("visibilitychange", comeBack);
connect();
setInterval(soon, REFRESH);
