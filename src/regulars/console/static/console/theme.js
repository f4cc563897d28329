// Light or dark before anything is painted: the person's choice (cookie, put into the page), else the system's.
(function () {
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var chosen = root.dataset.theme;
    root.dataset.bsTheme = chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
    document.dispatchEvent(new Event("regulars:theme"));
  }
  apply();
  system.addEventListener("change", apply);
  window.regularsTheme = function () {
    root.dataset.theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    document.cookie = "regulars_theme=" + root.dataset.theme + ";path=/;max-age=31622400;samesite=lax";
    apply();
  };
})();
