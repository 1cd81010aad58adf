// Runs before the first paint: marks that scripts work, and follows the
// device's preference where the person chose none.
(() => {
  const root = document.documentElement;
  root.classList.add('js');
  const media = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    const chosen = root.dataset.theme;
    root.classList.toggle('dark', chosen === 'dark' || (chosen !== 'light' && media.matches));
  };
  media.addEventListener('change', apply);
  root.addEventListener('tangkal:theme', apply);
  apply();
})();
