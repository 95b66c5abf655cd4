// While a job of the project is under way, its versions and jobs are shown as they are now.
// Only this part of the page is replaced: what is typed into its forms stays.
"use strict";

const PAUSE_MILLISECONDS = 1000;

async function follow() {
  const shown = document.getElementById("versions-now");
  if (!shown || !("follow" in shown.dataset)) {
    return;
  }
  try {
    const answer = await fetch(window.location.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("versions-now");
    if (fresh) {
      shown.replaceWith(fresh);
    }
  } catch {
    // The server is away for now: what is shown stays, and the next look may find it again.
  }
  window.setTimeout(follow, PAUSE_MILLISECONDS);
}

window.setTimeout(follow, PAUSE_MILLISECONDS);
