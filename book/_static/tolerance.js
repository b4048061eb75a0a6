// Judges claims again under another tolerance, by the rules of panda2020/claims/verdicts.py.
(() => {
  'use strict';
  const size = ([low, high], [from, to], ratio, factor, points) => {
    const bottom = from === null ? -Infinity : ratio ? from / factor : from - points;
    const top = to === null ? Infinity : ratio ? to * factor : to + points;
    const air = 1e-9;  // at the protocol's tolerance the bounds are the protocol's, but for rounding
    if (bottom - air <= low && high <= top + air) return 'as stated';
    return high < bottom - air || low > top + air ? 'another' : 'open';
  };
  const word = (direction, answer) => {
    if (direction === 'shown') return answer === '' || answer === 'as stated' ? 'supported' : 'direction only';
    if (direction === 'opposite' || (!direction && answer === 'another')) return 'contradicted';
    return !direction && answer === 'as stated' ? 'supported' : 'open';
  };
  document.querySelectorAll('.snn-tolerance').forEach((box) => {
    const signs = JSON.parse(box.dataset.signs);
    const weakest = ['contradicted', 'not recorded', 'not testable', 'open', 'direction only', 'supported'];
    const update = () => {
      const value = (name) => Number(box.querySelector(`input[name="${name}"]`).value);
      box.querySelectorAll('label').forEach((label) => {
        label.querySelector('output').textContent = label.querySelector('input').value;
      });
      let changed = 0;
      box.querySelectorAll('tr[data-parts]').forEach((row) => {
        const verdicts = JSON.parse(row.dataset.parts).map((part) => part.fixed
          ?? word(part.direction, size(part.interval, part.size, part.ratio, value('factor'), value('points'))));
        const verdict = weakest.find((one) => verdicts.includes(one));
        const mark = row.querySelector('.snn-mark');
        mark.className = `snn-mark snn-${verdict.replaceAll(' ', '-')}`;
        const [sign, text] = mark.querySelectorAll('span');
        sign.textContent = signs[verdict];
        text.textContent = verdict;
        changed += verdict !== row.dataset.verdict;
      });
      box.querySelector('[data-part="changed"]').textContent = changed
        ? `${changed} verdict${changed === 1 ? '' : 's'} differ${changed === 1 ? 's' : ''} from the protocol's.`
        : "The same verdicts as under the protocol's tolerances.";
    };
    box.querySelectorAll('input').forEach((input) => {
      input.disabled = false;
      input.addEventListener('input', update);
    });
    update();
  });
})();
