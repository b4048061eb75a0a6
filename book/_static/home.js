// The forest plot on the start page: a row that is pointed at or focused shows its number, seeds and command below the plot.
(() => {
  'use strict';
  const panel = document.querySelector('.snn-details');
  if (!panel) return;
  const show = (row) => {
    const command = document.createElement('code');
    command.textContent = row.dataset.command;
    panel.replaceChildren(`${row.dataset.told} `, command);
    panel.hidden = false;
  };
  document.querySelectorAll('.snn-forest a').forEach((row) => {
    row.querySelector('title')?.remove();  // the panel says it
    row.addEventListener('pointerenter', () => show(row));
    row.addEventListener('focus', () => show(row));
  });
})();
