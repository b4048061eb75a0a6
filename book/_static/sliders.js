// The sliders of the energy chapter: energy.js computes, the bars follow.
(() => {
  'use strict';
  document.querySelectorAll('.snn-sliders').forEach((box) => {
    const given = JSON.parse(box.dataset.given);
    const part = (name) => box.querySelector(`[data-part="${name}"]`);
    const share = (value) => 100 * Math.min(1, Math.max(0,
      Math.log(Math.max(value, given.low) / given.low) / Math.log(given.high / given.low)));
    const update = () => {
      const value = (name) => Number(box.querySelector(`input[name="${name}"]`).value);
      const steps = given.times[value('steps')];
      const topology = given.network.replace('{}', value('depth'));
      const passes = snnEnergy.plan(topology, given.input, 'lif');
      const rates = Object.fromEntries(snnEnergy.sites(passes).map(({site}) => [site, value('rate')]));
      part('steps').textContent = steps;
      part('rate').textContent = value('rate');
      part('depth').textContent = value('depth');
      part('network').textContent = topology;
      box.querySelectorAll('.snn-bar').forEach((bar) => {
        const {convention} = bar.dataset;
        const found = snnEnergy.report(passes, rates, steps, {prices: given.prices, convention}).efficiency;
        bar.querySelector('i').style.width = `${share(found)}%`;
        bar.querySelector('output').textContent = Number.isFinite(found) ? found.toFixed(1) : '∞';
      });
    };
    box.querySelectorAll('input').forEach((input) => {
      input.disabled = false;
      input.addEventListener('input', update);
    });
    update();
  });
})();
