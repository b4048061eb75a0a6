/* The form of the page "Energy calculator": reads the fields, lets energy.js compute, shows the result or what is wrong.

   Prices, networks, recorded runs and the starting point come from calculator_data.js, the cases for the check from
   calculator_vectors.js; tools/calculator.py writes both. */
(function (root) {
  "use strict";

  const energy = root.snnEnergy;
  const OWN = "own";
  const PAUSE = 600; // milliseconds without typing before a screen reader is told the result
  const UNITS = [["pJ", 1], ["nJ", 1e3], ["µJ", 1e6], ["mJ", 1e9], ["J", 1e12]];

  /* A field that cannot be used; the sentence begins with the field's label. */
  class WrongField extends Error {
    constructor(fields, sentence) {
      super(sentence);
      this.fields = fields;
    }
  }

  // The check against the library ---------------------------------------------------------------------------------

  function answer(given, memories) {
    const passes = energy.plan(given.topology, given.input_shape, given.neuron, given.static_input);
    const options = {
      prices: { mac: given.prices[0], ac: given.prices[1] }, convention: given.convention,
      memory: given.memory === null ? null : memories[given.memory],
    };
    const found = energy.report(passes, given.activity, given.steps, options);
    return {
      text: energy.parse(given.topology).text, ann: found.ann, snn: found.snn, efficiency: found.efficiency,
      spiking_efficiency: found.spikingEfficiency === Infinity ? "infinite" : found.spikingEfficiency,
      bound: energy.bound(passes, given.steps, options),
      rows: found.rows.map((r) => [
        r.site, r.neuron, r.macs, r.macOperations, r.acOperations, r.update, r.memory, r.snn, r.ann,
      ]),
    };
  }

  function sentenceOf(given, memories) {
    try {
      answer(given, memories);
    } catch (error) {
      if (error instanceof energy.Refused) return error.message;
      throw error;
    }
    return null;
  }

  function near(one, other, tolerance) {
    if (Array.isArray(one)) return one.length === other.length && one.every((value, i) => near(value, other[i], tolerance));
    if (typeof one !== "number" || typeof other !== "number") return one === other;
    return Math.abs(one - other) <= tolerance * Math.max(Math.abs(one), Math.abs(other));
  }

  /* How many of the library's cases and refusals this page's code meets. */
  function selfCheck(vectors, tolerance) {
    const agrees = (given) => {
      const mine = answer(given, vectors.memories);
      return Object.keys(given.expected).every((name) => near(mine[name], given.expected[name], tolerance));
    };
    return {
      cases: vectors.cases.length, agreeing: vectors.cases.filter(agrees).length,
      refusals: vectors.refusals.length,
      same: vectors.refusals.filter((given) => sentenceOf(given, vectors.memories) === given.sentence).length,
    };
  }

  // Numbers in words ----------------------------------------------------------------------------------------------

  function digits(value) {
    if (value === 0) return "0";
    return value >= 1e-3 && value < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(3);
  }

  function unitOf(picojoule) {
    return UNITS.findLast(([, size]) => picojoule >= size) ?? UNITS[0];
  }

  function joule(picojoule) {
    const [unit, size] = unitOf(picojoule);
    return `${digits(picojoule / size)} ${unit}`;
  }

  // The form ------------------------------------------------------------------------------------------------------

  function start(form, data) {
    const field = (name) => form.elements[name];
    const part = (name) => form.querySelector(`[data-part="${name}"]`);
    const rates = new Map(); // what the reader entered, by site, kept while the network is being edited
    let run = null; // the recorded run that the fields were filled from, while they are unchanged
    let telling = 0;

    function options(select, pairs) {
      for (const [value, text] of pairs) select.append(new Option(text, value));
    }

    function labelOf(control) {
      return control.dataset.name || control.labels[0].textContent.trim();
    }

    function number(control, { least = 0, most = Infinity, whole = false, above = false }) {
      const text = control.value.trim();
      const value = text === "" ? NaN : Number(text);
      const fits = Number.isFinite(value) && (above ? value > least : value >= least) && value <= most;
      if (!fits || (whole && !Number.isSafeInteger(value))) {
        let allowed = `a finite number above ${least}`;
        if (whole) allowed = `a whole number of at least ${least}`;
        else if (most < Infinity) allowed = `a number between ${least} and ${most}`;
        throw new WrongField([control], `${labelOf(control)} must be ${allowed}, got ${text || "nothing"}.`);
      }
      return value;
    }

    function staticInput() {
      return { auto: null, spikes: false, real: true }[field("input").value];
    }

    function network() {
      const shape = ["channels", "height", "width"].map((name) => number(field(name), { least: 1, whole: true }));
      try {
        return {
          shape, text: energy.parse(field("topology").value.trim()).text,
          passes: energy.plan(field("topology").value.trim(), shape, field("neuron").value, staticInput()),
        };
      } catch (error) {
        if (!(error instanceof energy.Refused)) throw error;
        throw new WrongField([field("topology")], `${labelOf(field("topology"))}: ${error.message}.`);
      }
    }

    function prices() {
      const mac = number(field("mac"), { above: true });
      const ac = number(field("ac"), { above: true });
      if (mac < ac) {
        throw new WrongField(
          [field("mac")], `${labelOf(field("mac"))} must be at least that of an AC (${ac}), got ${mac}.`,
        );
      }
      return { mac, ac };
    }

    /* One row per spiking site; typed values stay where a site stays. */
    function rateRows(passes) {
      const all = field("same").checked;
      part("rates").hidden = all;
      part("rate").hidden = !all;
      const wanted = energy.sites(passes, field("convention").value, field("memory").value !== "");
      const body = part("rate-rows");
      const shown = [...body.querySelectorAll("input")].map((input) => input.dataset.site);
      if (shown.join() !== wanted.map(({ site }) => site).join()) {
        body.replaceChildren(...wanted.map(({ site }) => {
          const row = document.createElement("tr");
          const id = `snn-rate-${site.replaceAll(/[^\w-]/g, "-")}`;
          row.innerHTML = '<th scope="row"><label></label></th><td><input type="text" inputmode="decimal" size="8"></td><td></td>';
          const input = row.querySelector("input");
          row.querySelector("label").textContent = site;
          row.querySelector("label").htmlFor = id;
          Object.assign(input, { id, value: rates.get(site) ?? field("rate").value });
          Object.assign(input.dataset, { site, name: `Spikes per neuron and step of ${site}` });
          return row;
        }));
      }
      wanted.forEach(({ counted }, i) => {
        body.rows[i].cells[2].textContent = counted ? "" : "not counted under this convention";
      });
    }

    function activity(passes) {
      rateRows(passes);
      if (field("same").checked) {
        const rate = number(field("rate"), { least: 0, most: 1 });
        return Object.fromEntries(energy.sites(passes).map(({ site }) => [site, rate]));
      }
      const inputs = [...part("rate-rows").querySelectorAll("input")];
      return Object.fromEntries(inputs.map((input) => [input.dataset.site, number(input, { least: 0, most: 1 })]));
    }

    function compute() {
      const { shape, text, passes } = network();
      part("memory").hidden = field("convention").value !== "full";
      if (field("convention").value !== "full") field("memory").value = "";
      const steps = number(field("steps"), { least: 1, whole: true });
      const chosen = {
        prices: prices(), convention: field("convention").value,
        memory: field("memory").value === "" ? null : data.memories[field("memory").value],
      };
      const rate = activity(passes);
      const found = energy.report(passes, rate, steps, chosen);
      return { shape, text, passes, steps, chosen, rate, found, bound: energy.bound(passes, steps, chosen) };
    }

    function update() {
      for (const control of form.elements) control.removeAttribute("aria-invalid");
      let result = null;
      let sentence = "";
      try {
        result = compute();
      } catch (error) {
        if (!(error instanceof WrongField)) throw error;
        sentence = error.message;
        error.fields.forEach((control) => control.setAttribute("aria-invalid", "true"));
      }
      part("result").hidden = result === null; // an old result must not stand beside a wrong field
      if (part("error").textContent !== sentence) part("error").textContent = sentence;
      part("run").textContent = run === null ? "" : provenance(run);
      clearTimeout(telling);
      if (result === null) {
        part("told").textContent = "";
        return;
      }
      show(result);
      telling = setTimeout(() => { part("told").textContent = told(result); }, PAUSE);
    }

    // What is shown

    function show({ shape, text, steps, chosen, rate, found, bound }) {
      const put = (name, value, words) => {
        part(name).textContent = words;
        part(name).dataset.value = String(value);
      };
      put("efficiency", found.efficiency, digits(found.efficiency));
      put("ann", found.ann, joule(found.ann));
      put("snn", found.snn, joule(found.snn));
      put("bound", bound, digits(bound));
      part("steps").textContent = String(steps);
      part("bound-words").textContent = chosen.convention === "full"
        ? `at T = ${steps} however few neurons fire: updates of silent neurons are charged too`
        : "at any T, however few neurons fire";
      const [unit, size] = unitOf(Math.max(found.ann, found.snn));
      part("layers-unit").textContent = unit;
      part("layers").replaceChildren(...found.rows.map((row) => {
        const line = document.createElement("tr");
        const share = row.snn / found.snn;
        const charged = [[row.macOperations, "MAC"], [row.acOperations, "AC"]].filter(([n]) => n > 0);
        const cells = [
          row.neuron, row.macs.toLocaleString("en"), charged.map(([n, kind]) => `${digits(n)} ${kind}`).join(" + ") || "none",
          digits(row.ann / size), digits(row.snn / size), `${(100 * share).toFixed(1)} %`,
        ];
        line.innerHTML = '<th scope="row"></th>' + '<td class="snn-num"></td>'.repeat(cells.length);
        line.cells[0].textContent = row.site;
        cells.forEach((words, i) => { line.cells[i + 1].textContent = words; });
        line.cells[1].className = "";
        line.cells[cells.length].className = "snn-num snn-share";
        line.cells[cells.length].style.setProperty("--share", `${100 * share}%`);
        line.cells[cells.length].dataset.value = String(share);
        return line;
      }));
      part("python").textContent = python({ shape, text, steps, chosen, rate });
    }

    function told({ steps, chosen, found, bound }) {
      return `EE ${digits(found.efficiency)} at T = ${steps} under the convention ${chosen.convention}: the ANN takes ` +
        `${joule(found.ann)}, the SNN ${joule(found.snn)} per image. EE cannot exceed ${digits(bound)}.`;
    }

    function provenance(recorded) {
      const right = `${(100 * recorded.accuracy).toFixed(1)} % (${recorded.correct} of ${recorded.total} test images)`;
      return `These fields are those of run ${recorded.key} (${recorded.origin}): its accuracy is ${right} at ` +
        `T = ${recorded.steps}. If you change the network, T or a rate, no accuracy belongs to the result.`;
    }

    /* The same computation with the library. */
    function python({ shape, text, steps, chosen, rate }) {
      const memory = field("memory").value;
      const given = { null: "None", true: "True", false: "False" }[String(staticInput())];
      const lines = [
        "from snncore.activity import SiteActivity",
        `from snncore.energy import ${memory ? "MEMORIES, " : ""}Prices, report`,
        "from snncore.network import plan",
        "",
        `rates = {${Object.entries(rate).map(([site, r]) => `${JSON.stringify(site)}: ${r}`).join(", ")}}`,
        "found = report(",
        `    plan(${JSON.stringify(text)}, (${shape.join(", ")}), ${JSON.stringify(field("neuron").value)}, static_input=${given}),`,
        '    {site: SiteActivity("spikes", rate, rate) for site, rate in rates.items()},',
        `    ${steps},`,
        `    prices=Prices(${JSON.stringify(field("prices").value)}, mac=${chosen.prices.mac}, ac=${chosen.prices.ac}),`,
        `    convention=${JSON.stringify(chosen.convention)},`,
        ...(memory ? [`    memory=MEMORIES[${JSON.stringify(memory)}],`] : []),
        ")",
        "print(found.efficiency, found.ann, found.snn)",
      ];
      return lines.join("\n");
    }

    // What the reader does

    function fill(values) {
      field("topology").value = values.topology;
      ["channels", "height", "width"].forEach((name, i) => { field(name).value = values.input_shape[i]; });
      field("neuron").value = values.neuron;
      field("input").value = values.static_input === undefined ? "auto" : values.static_input ? "real" : "spikes";
      if (values.activity) {
        field("steps").value = values.steps;
        field("same").checked = false;
        rates.clear();
        for (const [site, rate] of Object.entries(values.activity)) rates.set(site, String(rate));
        part("rate-rows").replaceChildren(); // so that the rows are made anew
      }
    }

    function price() {
      const listed = data.prices[field("prices").value];
      if (listed) Object.assign(field("mac"), { value: listed.mac }), Object.assign(field("ac"), { value: listed.ac });
    }

    function changed({ target }) {
      if (target === field("start")) {
        const [kind, index] = target.value.split(" ");
        run = kind === "run" ? data.runs[index] : null;
        if (kind !== OWN) fill(kind === "run" ? run : data.networks[index]);
      } else if (["topology", "channels", "height", "width", "neuron", "input", "steps", "rate", "same"].includes(target.name) ||
                 target.dataset.site) {
        run = null;
        field("start").value = OWN;
      }
      if (target === field("prices")) price();
      if (target === field("mac") || target === field("ac")) field("prices").value = OWN;
      if (target === field("rate")) { // one rate for all takes the place of those entered one by one
        rates.clear();
        part("rate-rows").replaceChildren();
      }
      if (target.dataset.site) rates.set(target.dataset.site, target.value);
      update();
    }

    function check() {
      const tolerance = 1e-9;
      const { cases, agreeing, refusals, same } = selfCheck(root.snnCalculatorVectors, tolerance);
      part("checked").textContent = `${agreeing} of ${cases} cases agree with the library to ${tolerance} of each number; ` +
        `${same} of ${refusals} wrong inputs are refused in its words.`;
    }

    const groups = [
      ["Networks of the paper", data.networks.map(({ label }, i) => [`network ${i}`, label])],
      ["Recorded runs, with their measured rates", data.runs.map(({ label }, i) => [`run ${i}`, label])],
    ];
    options(field("start"), [[OWN, "your own"]]);
    for (const [label, pairs] of groups) {
      if (!pairs.length) continue;
      const group = Object.assign(document.createElement("optgroup"), { label });
      options(group, pairs);
      field("start").append(group);
    }
    options(field("neuron"), energy.NEURONS.map((name) => [name, name]));
    options(field("convention"), energy.CONVENTIONS.map((name) => [name, name]));
    options(field("prices"), [...Object.keys(data.prices).map((name) => [name, name]), [OWN, "your own"]]);
    options(field("memory"), [["", "not counted"], ...Object.keys(data.memories).map((name) => [name, name])]);
    field("start").value = data.runs.length ? "run 0" : "network 0";
    Object.assign(field("steps"), { value: data.example.steps });
    Object.assign(field("rate"), { value: data.example.rate });
    field("prices").value = Object.keys(data.prices)[0];
    price();
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", changed);
    part("check").addEventListener("click", check);
    form.hidden = false;
    changed({ target: field("start") });
  }

  root.snnCalculator = { answer, sentenceOf, selfCheck };
  const form = document.getElementById("snn-calculator");
  if (form) start(form, root.snnCalculatorData);
})(globalThis);
