/**
 * Runs before anything is painted, so that nobody who has chosen the dark sees a flash of light. Without a choice, the
 * system's own holds.
 */
try {
  const chosen = localStorage.getItem('theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing: the system's choice holds.
}

export {};
