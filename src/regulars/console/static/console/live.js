// New events slide in at the top every second and a half, unless the page is hidden; at most MOST stay. While paused they
// wait, counted, and nothing moves.
(function () {
  "use strict";
  const MOST = 200;
  const body = document.getElementById("arrived");
  if (!body || !body.dataset.live) return;
  const pause = document.querySelector("[data-live-pause]"), waits = document.querySelector("[data-live-waiting]");
  const held = document.createElement("tbody");
  let paused = false, busy = false, count = 0;
  pause.addEventListener("click", function () {
    paused = !paused;
    pause.classList.toggle("active", paused);
    for (const said of pause.querySelectorAll("[data-when]")) said.hidden = (said.dataset.when === "paused") !== paused;
    if (!paused) { show(); ask(); }
  });
  function show() {
    body.prepend(...held.children);
    while (body.rows.length > MOST) body.deleteRow(-1);
    count = 0;
    waits.textContent = "";
    delete waits.dataset.more;
  }
  async function ask() {
    if (busy || document.hidden) return;
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
      const more = newest && newest.hasAttribute("data-more"); // one answer doesn't hold all that came
      count += holder.rows.length;
      if (more) waits.dataset.more = "+";
      held.prepend(...holder.children);
      while (held.rows.length > MOST) held.deleteRow(-1);
      if (!paused) show();
      else if (count) waits.textContent = waits.dataset.liveWaiting.replace("{n}", count + (waits.dataset.more || ""));
    } catch (_) { /* the next tick tries again */ } finally { busy = false; }
  }
  window.setInterval(ask, 1500);
})();
