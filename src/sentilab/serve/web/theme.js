// Runs before the page is drawn, so that a chosen theme does not flash the other one.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("sentilab-theme");
  } catch {
    // Storage may be forbidden; then the system's theme stands.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
