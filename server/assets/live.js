// Keeps an open page true: when the server says that something changed, the page asks for itself again and takes over
// the parts marked `data-live`. It sends nothing and stores nothing; without it, pages are as they were when loaded.
"use strict";

const sign = document.getElementById("live");
const parts = () => [...document.querySelectorAll("[data-live]")];
const PAUSE = 1000; // between two renewals
const REFRESH = 60000; // times in words grow old

let last = Date.now();
let waiting = null;

function say(state, words) {
  if (sign.dataset.state === state) return;
  sign.dataset.state = state;
  sign.textContent = words;
}

function soon() {
  if (waiting || !parts().length) return;
  waiting = setTimeout(() => { waiting = null; renew(); }, Math.max(150, PAUSE - (Date.now() - last)));
}

async function renew() {
  if (document.hidden) { document.addEventListener("visibilitychange", soon, { once: true }); return; }
  last = Date.now();
  try {
    const answer = await fetch(location.href, { headers: { "x-holdfast-renewal": "1", accept: "text/html" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") { say("lost", "logged out – reload to log in"); source.close(); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.innerHTML) takeOver(part, fresh);
    }
  } catch { /* the event source notices a lost connection, and says so */ }
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

const source = new EventSource("/live");
let connected = false;
source.addEventListener("open", () => { say("on", "live"); if (connected) soon(); connected = true; });
source.addEventListener("changed", soon);
source.addEventListener("error", () => say("lost", "connection lost – trying again"));
setInterval(soon, REFRESH);
