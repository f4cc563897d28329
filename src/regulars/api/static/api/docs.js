"use strict";
// The description is in the page already, in one language; what Swagger UI says itself is put into it as it appears.
const told = (id) => JSON.parse(document.getElementById(id).textContent);
const labels = told("labels");

function translate(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const said = labels[node.data.trim()];
    if (said && !node.parentElement.closest("pre, code, textarea")) node.data = said;
  }
}

if (Object.keys(labels).length) {
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") translate(change.target.parentNode || document.body);
      for (const node of change.addedNodes) translate(node.nodeType === Node.TEXT_NODE ? node.parentNode || document.body : node);
    }
  }).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true, characterData: true });
}

// An operation's path is a link within its button, which readers and the keyboard can't tell apart: a text is enough.
const mended = ({ React }) => ({
  wrapComponents: {
    DeepLink: () => ({ text }) => React.createElement("span", null, text),
    // Headings of groups are of the third level: one of the second, for readers alone, stands between them and the first.
    operations: (Operations) => (given) =>
      React.createElement(
        React.Fragment,
        null,
        React.createElement("h2", { className: "unseen" }, labels.Operations || "Operations"),
        React.createElement(Operations, given),
      ),
  },
});

SwaggerUIBundle({
  spec: told("description"),
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [mended],
  docExpansion: "list",
  deepLinking: true,
  persistAuthorization: true,
});
