// Before the first paint: the theme that was kept, or the one that the system asks for.
(() => {
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("kleiber-theme"); } catch { /* a page without storage */ }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = kept === "dark" || kept === "light" ? kept : dark ? "dark" : "light";
  root.classList.add("js");
})();
