// Small behaviours of the frame: toasts, search (Ctrl-K), rows that open, bulk choice, dialogs, unsent forms.
(function () {
  "use strict";
  var toasts = document.getElementById("toasts");

  function on(event, selector, act) {
    document.addEventListener(event, function (e) {
      var found = e.target instanceof Element && e.target.closest(selector);
      if (found) act(e, found);
    });
  }

  // --- at first start: the page asks again with the zone that the browser is in, and proposes by it.
  if (document.querySelector("[data-ask-zone]")) {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) location.replace("?zone=" + encodeURIComponent(zone));
  }

  // --- toasts: what was done goes away by itself, hovering or focus keeps it. What can be undone or leads on stays until
  // it is closed, the page is left, or MOST newer ones have come: nobody has to be quick.
  // Each undoes its own deed; what a later deed on the same thing has overtaken withdraws.
  var MOST = 4;
  function arm(toast) {
    if (toast.dataset.armed) return;
    toast.dataset.armed = "1";
    if (toast.dataset.about) toasts.querySelectorAll("[data-about]").forEach(function (other) {
      if (other !== toast && other.dataset.armed && other.dataset.about === toast.dataset.about) other.remove();
    });
    if (toast.classList.contains("toast-fault")) return;
    if (toast.querySelector("form,a")) {
      var lasting = Array.from(toasts.children).filter(function (one) { return one.querySelector("form,a"); });
      lasting.slice(0, -MOST).forEach(function (one) { if (!one.matches(":hover,:focus-within")) one.remove(); });
      return;
    }
    var timer;
    function start() { clearTimeout(timer); timer = setTimeout(function () { toast.remove(); }, 6000); }
    function stay() { clearTimeout(timer); }
    toast.addEventListener("mouseenter", stay);
    toast.addEventListener("focusin", stay);
    toast.addEventListener("mouseleave", start);
    toast.addEventListener("focusout", start);
    start();
  }
  if (toasts) {
    new MutationObserver(function () { toasts.querySelectorAll("[data-toast]").forEach(arm); })
      .observe(toasts, { childList: true });
    toasts.querySelectorAll("[data-toast]").forEach(arm);
  }
  function close(toast) {
    var had = toast.contains(document.activeElement);
    toast.remove();
    if (had && outside.isConnected) outside.focus();
  }
  var outside = document.body; // where the focus last was but for toasts
  document.addEventListener("focusin", function (e) { if (!toasts || !toasts.contains(e.target)) outside = e.target; });
  on("click", "[data-toast-close]", function (e, button) { close(button.closest("[data-toast]")); });
  var written = new WeakSet(); // fields with something of their own to undo, empty again or not
  document.addEventListener("input", function (e) { written.add(e.target); }, true);
  // Ctrl-Z (⌘Z) anywhere but where one has written presses the newest Undo, which is far away by Tab; Escape closes its toast.
  document.addEventListener("keydown", function (e) {
    if (!toasts || document.querySelector("dialog[open]")) return;
    if (e.key === "Escape" && toasts.contains(e.target)) close(e.target.closest("[data-toast]"));
    if (!(e.ctrlKey || e.metaKey) || e.shiftKey || e.altKey || e.key.toLowerCase() !== "z") return;
    if (written.has(e.target) && e.target.matches("textarea,[contenteditable],input:not([type=checkbox],[type=radio])")) return;
    var undo = Array.from(toasts.querySelectorAll("[data-undo]")).pop();
    if (undo) { e.preventDefault(); undo.click(); }
  });
  function say(text, kind) {
    var line = document.createElement("div");
    line.className = "toast-line toast-" + (kind || "fault");
    line.setAttribute("role", kind ? "status" : "alert");
    line.dataset.toast = "";
    line.textContent = text;
    toasts.append(line);
    setTimeout(function () { line.remove(); }, 8000);
    return line;
  }
  document.addEventListener("htmx:sendError", function () { say(toasts.dataset.offline); });

  on("click", "[data-back]", function () { history.length > 1 ? history.back() : (location.href = "/"); });
  on("click", "[data-theme-switch]", function () { window.regularsTheme(); });

  // --- a row opens with a click anywhere in it; its link is what keyboard and readers use.
  on("click", "tr[data-href]", function (e, row) {
    if (e.target.closest("a,button,input,label,select,summary,form")) return;
    if (String(getSelection())) return;
    if (e.ctrlKey || e.metaKey) window.open(row.dataset.href);
    else location.href = row.dataset.href;
  });

  // --- bulk choice: a head box for all, a bar that shows how many.
  function count(table) {
    var boxes = table.querySelectorAll("[data-choose]");
    var chosen = table.querySelectorAll("[data-choose]:checked").length;
    var all = table.querySelector("[data-choose-all]");
    if (all) { all.checked = chosen > 0 && chosen === boxes.length; all.indeterminate = chosen > 0 && chosen < boxes.length; }
    var bar = document.getElementById(table.dataset.bulk);
    if (bar) {
      bar.hidden = chosen === 0;
      bar.querySelectorAll("[data-count]").forEach(function (n) { n.textContent = chosen; });
    }
  }
  on("change", "[data-choose-all]", function (e, all) {
    var table = all.closest("[data-bulk]");
    table.querySelectorAll("[data-choose]").forEach(function (box) { box.checked = all.checked; });
    count(table);
  });
  on("change", "[data-choose]", function (e, box) { count(box.closest("[data-bulk]")); });
  window.addEventListener("pageshow", function () { document.querySelectorAll("[data-bulk]").forEach(count); });

  // --- dialogs: <button data-open="id"> … <dialog id="id"> … <button data-close>
  on("click", "[data-open]", function (e, button) {
    var dialog = document.getElementById(button.dataset.open);
    if (dialog) dialog.showModal();
  });
  document.querySelectorAll("dialog[data-open-now]").forEach(function (dialog) { dialog.showModal(); });
  on("click", "[data-close]", function (e, button) { button.closest("dialog").close(); });
  on("click", "dialog", function (e, dialog) { if (e.target === dialog) dialog.close(); });
  // a typed confirmation: the button works when the words are there
  on("input", "[data-confirm]", function (e, input) {
    input.form.querySelector("[data-confirmed]").disabled = input.value.trim() !== input.dataset.confirm;
  });
  // explanations within what htmx brought; one that is open goes with its place, and with Escape
  document.addEventListener("htmx:load", function (e) {
    if (e.target !== document.body) e.target.querySelectorAll(".explained").forEach(function (b) { tabler.Popover.getOrCreateInstance(b); });
  });
  document.addEventListener("htmx:beforeSwap", function (e) {
    e.detail.target.querySelectorAll(".explained[aria-describedby]").forEach(function (b) { tabler.Popover.getInstance(b).dispose(); });
  });
  document.addEventListener("keydown", function (e) {
    if (e.key !== "Escape") return;
    document.querySelectorAll(".explained[aria-describedby]").forEach(function (b) { tabler.Popover.getInstance(b).hide(); });
  });
  // a button whose form serves several deeds names the field that this one can't do without
  on("click", "[data-needs]", function (e, button) {
    var field = document.getElementById(button.dataset.needs);
    field.required = true;
    if (!field.reportValidity()) e.preventDefault();
    field.required = false;
  });
  // what a phone folds away stands open where there is room
  if (innerWidth >= 768) document.querySelectorAll("details[data-open-wide]").forEach(function (d) { d.open = true; });
  // what gets long is counted before it is too long, and sent only when it isn't; nothing pasted is cut off
  on("input", "[data-most]", function (e, field) {
    var most = +field.dataset.most, n = Array.from(field.value.trim()).length;
    var counter = field.nextElementSibling;
    if (!counter || !counter.classList.contains("counter")) {
      counter = document.createElement("span");
      counter.className = "counter";
      counter.setAttribute("role", "status");
      field.after(counter);
    }
    field.setCustomValidity(n > most ? field.dataset.tooLong : "");
    counter.textContent = n > most * .8 ? n.toLocaleString("en") + " / " + most.toLocaleString("en") : "";
    counter.classList.toggle("counter-over", n > most);
  });
  // another's value for a field takes the place of the own
  on("click", "[data-take]", function (e, button) {
    var field = document.getElementById(button.dataset.take);
    field.value = button.dataset.value;
    field.focus();
  });
  // a choice that sends its form at once
  on("change", "[data-send]", function (e, input) { input.form.requestSubmit(); });
  // tabs: a click or the arrow keys
  function pick(tab) {
    tab.parentElement.querySelectorAll("[data-tab]").forEach(function (t) {
      t.setAttribute("aria-selected", t === tab ? "true" : "false");
      t.tabIndex = t === tab ? 0 : -1;
    });
    document.getElementById(tab.getAttribute("aria-controls")).setAttribute("aria-labelledby", tab.id);
  }
  on("click", "[data-tab]", function (e, tab) { pick(tab); });
  on("keydown", "[data-tab]", function (e, tab) {
    if (e.key !== "ArrowRight" && e.key !== "ArrowLeft") return;
    var all = Array.from(tab.parentElement.querySelectorAll("[data-tab]"));
    var to = all[(all.indexOf(tab) + (e.key === "ArrowRight" ? 1 : all.length - 1)) % all.length];
    to.focus();
    to.click();
  });
  on("click", "[data-copy]", function (e, button) {
    var from = button.dataset.copy ? document.getElementById(button.dataset.copy).textContent : button.dataset.text;
    navigator.clipboard.writeText(from).then(function () {
      button.classList.add("copied");
      setTimeout(function () { button.classList.remove("copied"); }, 1500);
    });
  });
  // A file that the server puts together only now: the button is busy until it is there, and it is told where it comes.
  function download(form) {
    var button = form.querySelector("button");
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    var told = say(form.dataset.download, "note");
    standing().then(function () {
      return fetch(form.action, { method: "POST", body: new FormData(form) });
    }, function () { throw null; }).then(function (answer) {
      if (!answer.ok) throw answer;
      var name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
      return answer.blob().then(function (file) {
        var link = document.createElement("a");
        link.href = URL.createObjectURL(file);
        link.download = name;
        link.click();
        setTimeout(function () { URL.revokeObjectURL(link.href); }, 60000);
        say(form.dataset.downloaded + " " + name, "good");
      });
    }).catch(function (fault) {
      if (fault) say(fault instanceof Response ? form.dataset.failed : toasts.dataset.offline);
    }).then(function () { told.remove(); button.removeAttribute("aria-busy"); });
  }
  // back to what the address says by now: parts of a page that were chosen since are in it
  on("submit", "form[data-here]", function (e, form) { form.elements.next.value = location.pathname + location.search; });
  // a form sent twice is sent once; empty filters stay out of the address
  on("submit", "form", function (e, form) {
    if (form.method === "get") {
      form.querySelectorAll("input,select").forEach(function (i) { if (!i.value && i.name) i.disabled = true; });
      setTimeout(function () { form.querySelectorAll(":disabled").forEach(function (i) { i.disabled = false; }); }, 0);
    } else if (form.method === "post" && !form.hasAttribute("hx-post")) {
      if (form.dataset.download) { e.preventDefault(); download(form); return; }
      if (form.dataset.checked) { delete form.dataset.checked; return; }
      if (form.dataset.sent) { e.preventDefault(); return; }
      if (!form.hasAttribute("data-again")) form.dataset.sent = "1";
      if (form.hasAttribute("data-anyone")) return;
      e.preventDefault();
      standing().then(function () {
        // what shows progress is put in its place anew all the time: then the form that stands there now is meant
        var there = form.isConnected ? form : Array.from(document.forms).find(function (f) { return f.action === form.action; });
        if (!there) return;
        there.dataset.checked = "1";
        there.requestSubmit(there === form ? e.submitter : undefined);
      }, function () { delete form.dataset.sent; });
    }
  });

  // --- a session that has ended: whoever sends something logs in again over the page, so nothing typed is lost.
  var again = document.getElementById("log-in-again");
  var session; // while somebody is asked: all who wait go on together
  function renew(answer) {
    return answer.json().then(function (told) {
      document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach(function (i) { i.value = told.token; });
      document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": told.token }));
      return told.token;
    });
  }
  function standing() { // resolved once somebody is logged in and the page's forms have their token; else rejected
    if (!session) {
      session = fetch(again.dataset.session, { headers: { Accept: "application/json" } }).then(function (answer) {
        return answer.status === 401 ? renew(answer).then(askToLogIn) : answer.ok ? renew(answer) : null;
      }, function (fault) { say(toasts.dataset.offline); throw fault; });
      var over = function () { session = null; };
      session.then(over, over);
    }
    return session;
  }
  function askToLogIn() {
    var form = again.querySelector("form"), fault = document.getElementById("fault-again");
    return new Promise(function (resolve, reject) {
      function send(e) {
        e.preventDefault();
        e.stopPropagation(); // it isn't a form of the page
        var headers = { "HX-Request": "true", "X-CSRFToken": JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"] };
        fetch(form.action, { method: "POST", headers: headers, body: new FormData(form) }).then(function (answer) {
          if (answer.status !== 204) return answer.text().then(function (said) { fault.textContent = said; form.password.select(); });
          return fetch(again.dataset.session).then(renew).then(function () { resolve(); again.close(); });
        }).catch(function () { fault.textContent = toasts.dataset.offline; });
      }
      function over() {
        form.removeEventListener("submit", send);
        form.reset();
        fault.textContent = "";
        reject(new Error("still logged out")); // does nothing after resolve
      }
      form.addEventListener("submit", send);
      again.addEventListener("close", over, { once: true });
      again.showModal();
    });
  }
  var asks = new WeakMap(), renewed = new WeakSet();
  document.addEventListener("htmx:confirm", function (e) { asks.set(e.detail.elt, e.detail.issueRequest); });
  document.addEventListener("htmx:beforeSwap", function (e) {
    var answer = e.detail.xhr, from = e.detail.requestConfig.elt, ask = asks.get(from);
    var stale = answer.getResponseHeader("Regulars-Token") && !renewed.has(from); // once: without cookies it stays so
    if (stale) renewed.add(from); else renewed.delete(from);
    if (answer.status !== 401 && !stale) return;
    e.detail.shouldSwap = false;
    standing().then(function () { if (ask) ask(true); }, function () {});
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (f) { delete f.dataset.sent; });
  });

  // Back shows the filters that the address says, not those that were ticked when the page was left.
  window.addEventListener("pageshow", function (e) {
    var way = performance.getEntriesByType("navigation")[0];
    if (!e.persisted && (!way || way.type !== "back_forward")) return;
    document.querySelectorAll("form[method=get]").forEach(function (f) { f.reset(); });
  });

  // --- focus stays where one was: what comes in the place of that which had it takes it over, by its id, its name or
  // its place among its neighbours; a fault first. Whoever is elsewhere by then stays there.
  var REACHED = "a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex]";
  function reached(part) {
    var within = Array.from(part.querySelectorAll(REACHED)).filter(function (one) {
      return one.checkVisibility ? one.checkVisibility() : one.getClientRects().length; // in a closed details it has a place
    });
    return part.matches(REACHED) ? [part].concat(within) : within;
  }
  function nowhere() { return !document.activeElement || document.activeElement === document.body; }
  function placed(part, at) { return { id: at.id, name: at.name || "", place: Math.max(reached(part).indexOf(at), 0) }; }
  function successor(part, was) {
    var all = reached(part);
    return part.querySelector("[aria-invalid=true]") || was.id && document.getElementById(was.id)
      || was.name && all.find(function (one) { return one.name === was.name; }) || all[Math.min(was.place, all.length - 1)];
  }
  var stood;
  document.addEventListener("htmx:beforeSwap", function (e) {
    var at = document.activeElement, part = e.detail.target;
    stood = at && at !== document.body && part.contains(at) ? { part: part, was: placed(part, at) } : null;
  });
  document.addEventListener("htmx:afterSettle", function (e) { // sooner, Enter would send a form that htmx hasn't got hold of yet
    if (!stood || !nowhere()) return;
    var kept = stood.part.isConnected, to = successor(kept ? stood.part : e.target, kept ? stood.was : { place: 0 });
    if (to) { to.focus(); stood = null; }
  });
  // The same where a form sent by keyboard brings its page back: on what opened its dialog, or in its section.
  var byKeyboard = false;
  document.addEventListener("keydown", function () { byKeyboard = true; }, true);
  document.addEventListener("pointerdown", function () { byKeyboard = false; }, true);
  on("submit", "form[method=post]:not([hx-post])", function (e, form) {
    var at = document.activeElement;
    if (toasts && toasts.contains(at)) at = outside;
    var dialog = form.closest("dialog"), part = form.closest("section[id]") || at && at.closest("section[id]");
    if (!byKeyboard || !at || !(dialog || part || at.id)) return;
    var was = part && part.contains(at) ? placed(part, at) : { id: at.id };
    sessionStorage.setItem("regulars_stood", JSON.stringify(
      { path: location.pathname, opener: dialog && dialog.id, part: part && part.id, was: was }));
  });
  try {
    var came = JSON.parse(sessionStorage.getItem("regulars_stood"));
    sessionStorage.removeItem("regulars_stood");
    if (came && came.path === location.pathname && nowhere() && !document.querySelector("dialog[open]")) {
      var part = came.part && document.getElementById(came.part);
      var to = came.opener ? document.querySelector('[data-open="' + came.opener + '"]')
        : part ? successor(part, came.was) : came.was.id && document.getElementById(came.was.id);
      if (to) to.focus();
    }
  } catch (fault) { /* a browser without storage */ }

  // --- search: Ctrl-K anywhere, arrows choose, Enter opens.
  var search = document.getElementById("search");
  if (search) {
    var input = search.querySelector("[data-search-input]");
    var results = document.getElementById("search-results");
    var timer, asked = 0, shown = null, going = false; // what the results are of; whether Enter waits for them
    var open = function () { search.showModal(); input.select(); ask(); };
    var options = function () { return Array.from(results.querySelectorAll("[role=option]")); };
    var choose = function (to) {
      options().forEach(function (o, i) {
        o.setAttribute("aria-selected", i === to ? "true" : "false");
        if (i === to) { input.setAttribute("aria-activedescendant", o.id); o.scrollIntoView({ block: "nearest" }); }
      });
    };
    var chosen = function () { return options().findIndex(function (o) { return o.getAttribute("aria-selected") === "true"; }); };
    var ask = function () {
      var mine = ++asked, wanted = input.value;
      fetch(input.dataset.url + "?q=" + encodeURIComponent(wanted), { headers: { "HX-Request": "true" } })
        .then(function (r) { return r.ok ? r.text() : r.status === 401 ? standing().then(ask, function () {}) : Promise.reject(r); })
        .then(function (html) {
          if (mine !== asked || html === undefined) return;
          results.innerHTML = html;
          shown = wanted;
          choose(0);
          if (going) go();
        })
        .catch(function () { if (mine === asked) results.textContent = toasts.dataset.offline; });
    };
    var go = function () {
      going = false;
      var to = options()[Math.max(chosen(), 0)];
      if (to && to.hasAttribute("href")) location.href = to.getAttribute("href");
    };
    on("click", "[data-search-open]", open);
    document.addEventListener("keydown", function (e) {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { e.preventDefault(); search.open ? search.close() : open(); }
      else if (e.key === "/" && !search.open && !e.target.closest("input,textarea,select,[contenteditable]")) { e.preventDefault(); open(); }
    });
    input.addEventListener("input", function () { going = false; clearTimeout(timer); timer = setTimeout(ask, 120); });
    input.addEventListener("keydown", function (e) {
      var n = options().length;
      if (e.key === "ArrowDown" && n) { e.preventDefault(); choose((chosen() + 1) % n); }
      else if (e.key === "ArrowUp" && n) { e.preventDefault(); choose((chosen() - 1 + n) % n); }
      else if (e.key === "Escape") { e.preventDefault(); search.close(); } // a search field would only be emptied
      else if (e.key === "Enter") {
        e.preventDefault();
        if (shown === input.value) go();
        else { going = true; clearTimeout(timer); ask(); } // a scanner types faster than anybody answers
      }
    });
  }
})();
