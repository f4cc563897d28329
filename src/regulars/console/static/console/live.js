// New events slide in at the top every second and a half, unless paused or the page is hidden; at most 200 stay.
(function () {
  "use strict";
  const body = document.getElementById("arrived");
  if (!body || !body.dataset.live) return;
  const pause = document.querySelector("[data-live-pause]");
  let paused = false, busy = false;
  pause.addEventListener("click", function () {
    paused = !paused;
    pause.classList.toggle("active", paused);
    for (const said of pause.querySelectorAll("[data-when]")) said.hidden = (said.dataset.when === "paused") !== paused;
    if (!paused) ask();
  });
  async function ask() {
    if (paused || busy || document.hidden) return;
    busy = true;
    try {
      const address = new URL(body.dataset.live, window.location.href);
      address.searchParams.set("since", body.dataset.since || "0");
      const answer = await fetch(address, { headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const holder = document.createElement("tbody");
      holder.innerHTML = await answer.text();
      const newest = holder.querySelector("[data-newest]");
      if (newest) { body.dataset.since = newest.dataset.newest; newest.remove(); }
      body.prepend(...holder.children);
      while (body.rows.length > 200) body.deleteRow(-1);
    } catch (_) { /* the next tick tries again */ } finally { busy = false; }
  }
  window.setInterval(ask, 1500);
})();
