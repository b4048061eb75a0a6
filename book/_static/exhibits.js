// Says below a box that it scrolls sideways, where it does: a table wider than the page must not look complete.
(() => {
  'use strict';
  const boxes = [...document.querySelectorAll('.snn-scroll, .pst-scrollable-table-container')];
  const hint = (box) => {
    const more = box.scrollWidth > box.clientWidth + 2;
    const said = box.nextElementSibling?.classList.contains('snn-more-hint') ? box.nextElementSibling : null;
    box.toggleAttribute('data-more', more);
    if (more && !said) {
      const line = document.createElement('p');
      line.className = 'snn-more-hint';
      line.textContent = '↔ scroll sideways for more';
      box.after(line);
    } else if (!more && said) said.remove();
  };
  const watch = new ResizeObserver((seen) => seen.forEach(({target}) => hint(target)));
  boxes.forEach((box) => watch.observe(box));
  document.addEventListener('change', () => boxes.forEach(hint));
  document.addEventListener('toggle', () => boxes.forEach(hint), true);
})();
