// Sets the chosen colours before anything is drawn. Classic script, so that it runs before the style sheets apply.
"use strict";
try {
  const theme = localStorage.getItem("apus.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's colours.
}
