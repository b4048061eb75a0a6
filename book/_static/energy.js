/* The energy model of snncore/energy.py on networks in the notation of snncore/network.py, for the page "Energy calculator".

   Same names, same order of computation, same sentences where input is refused; no number of its own: prices come from the
   library (calculator_data.js). tests/test_calculator.py runs it in a browser over vectors that the library made.

   snnEnergy.parse(text)                                     -> {text, nodes}
   snnEnergy.plan(text, [C, H, W], neuron, staticInput)      -> passes, as snncore.network.Pass
   snnEnergy.report(passes, {site: rate}, steps, options)    -> rows and totals in pJ per image
   snnEnergy.bound(passes, steps, options)                   -> the EE of silent spiking layers, which none exceeds
   snnEnergy.sites(passes, convention, withMemory)           -> [{site, counted}] of all that may spike
   Each throws snnEnergy.Refused with one sentence. */
(function (root) {
  "use strict";

  const NEURONS = ["relu", "lif", "if"];
  const SPIKING = ["lif", "if"];
  const MATCHES = ["drop", "top", "top-fixed", "average"];
  const CONVENTIONS = ["paper", "physical", "full"];
  const PASSES = 10000; // more would only freeze the page

  class Refused extends Error {}

  function refuse(sentence) {
    throw new Refused(sentence);
  }

  // Values as Python writes them, so that both sides say the same.

  function quoted(value) {
    if (value === null || value === undefined) return "None";
    if (typeof value !== "string") return String(value);
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escapes = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
    const body = value.replace(/[\\\n\r\t]/g, (one) => escapes[one]);
    return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
  }

  function tuple(numbers) {
    return numbers.length === 1 ? `(${numbers[0]},)` : `(${numbers.join(", ")})`;
  }

  function whole(name, value) {
    if (!Number.isInteger(value) || value < 1) refuse(`${name} must be a whole number of at least 1, got ${quoted(value)}`);
    return value;
  }

  function positive(name, value) {
    if (!(Number.isFinite(value) && value > 0)) refuse(`${name} must be a finite number above 0, got ${quoted(value)}`);
    return value;
  }

  function oneOf(name, value, allowed) {
    if (!allowed.includes(value)) refuse(`${name} must be one of ${allowed.map(quoted).join(", ")}, got ${quoted(value)}`);
    return value;
  }

  function product(numbers) {
    return numbers.reduce((a, b) => a * b, 1);
  }

  function equal(one, other) {
    return one.length === other.length && one.every((value, i) => value === other[i]);
  }

  // The string ---------------------------------------------------------------------------------------------------

  const TOKEN = new RegExp(
    "(?<conv>\\d+C\\d+(?::\\w+)?)|(?<dense>F\\d+(?::\\w+)?)|(?<pool>P)|(?<mean>M)|(?<recode>R)" +
      "|(?<open>\\[)|(?<close>\\]x\\d+(?::[\\w-]+)?)|(?<group>\\()|(?<ungroup>\\)\\+)|(?<plus>\\+)|(?<space>\\s+)",
    "y",
  );
  const WEIGHTED = ["conv", "dense"];

  function parse(text) {
    const where = `in topology ${quoted(text)}`;
    const stack = [[]];
    const openers = [];
    let position = 0;
    const suffix = (token, allowed, name) => {
      const at = token.indexOf(":");
      if (at < 0) return [token, null];
      const tail = token.slice(at + 1);
      if (!allowed.includes(tail)) {
        refuse(`${name} must be one of ${allowed.map(quoted).join(", ")}, got ${quoted(tail)} ${where}`);
      }
      return [token.slice(0, at), tail];
    };
    const size = (number, token) => {
      if (number < 1) refuse(`a layer must have at least one map or feature, got ${quoted(token)} ${where}`);
      return number;
    };
    while (position < text.length) {
      TOKEN.lastIndex = position;
      const found = TOKEN.exec(text);
      const top = stack[stack.length - 1];
      if (found === null) {
        const rest = text.slice(position).trim().split(/\s+/)[0];
        refuse(`topology must be made of 64C3, P, M, R, F1024, [..]x2, (..)+ and +, got ${quoted(rest)} ${where}`);
      }
      const token = found[0];
      const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
      position = TOKEN.lastIndex;
      if (kind === "conv") {
        const [head, neuron] = suffix(token, NEURONS, "neuron");
        const [maps, kernel] = head.split("C").map(Number);
        if (kernel % 2 === 0) refuse(`kernel must be odd for same padding, got ${quoted(token)} ${where}`);
        top.push({ kind, maps: size(maps, token), kernel, neuron });
      } else if (kind === "dense") {
        const [head, neuron] = suffix(token, NEURONS, "neuron");
        top.push({ kind, features: size(Number(head.slice(1)), token), neuron });
      } else if (kind === "pool") {
        top.push({ kind });
      } else if (kind === "mean" || kind === "recode") {
        if (openers.length) refuse(`${token} must be outside brackets, got it inside ${where}`);
        top.push({ kind });
      } else if (kind === "open" || kind === "group") {
        openers.push(token);
        stack.push([]);
      } else if (kind === "close" || kind === "ungroup") {
        const want = kind === "close" ? "[" : "(";
        if (!openers.length || openers.pop() !== want) {
          refuse(`topology must open ${quoted(want)} before ${quoted(token)}, got none ${where}`);
        }
        const body = stack.pop();
        if (!body.some((node) => [...WEIGHTED, "block", "skip"].includes(node.kind))) {
          refuse(`brackets must hold at least one layer, got none before ${quoted(token)} ${where}`);
        }
        if (kind === "close") {
          const [head, match] = suffix(token.slice(2), MATCHES, "channel matching");
          stack[stack.length - 1].push({ kind: "block", body, repeats: whole("repeats", Number(head)), match });
        } else {
          stack[stack.length - 1].push({ kind: "skip", body });
        }
      } else if (kind === "plus") {
        if (!top.length || !WEIGHTED.includes(top[top.length - 1].kind)) {
          refuse(`'+' must follow a layer or a group in parentheses, got ${quoted(text.slice(0, position))} ${where}`);
        }
        top.push({ kind: "skip", body: [top.pop()] });
      }
    }
    if (openers.length) {
      refuse(`topology must close every ${quoted(openers[openers.length - 1])}, got an open one ${where}`);
    }
    const nodes = stack[0];
    const last = nodes[nodes.length - 1];
    if (!nodes.length || last.kind !== "dense" || last.neuron !== null) {
      refuse(`topology must end in a classifier such as F10 without neurons, got ${quoted(text)}`);
    }
    return { text: nodes.map(write).join(" "), nodes };
  }

  /* The normal form of a node. */
  function write(node) {
    const own = node.neuron ? `:${node.neuron}` : "";
    if (node.kind === "conv") return `${node.maps}C${node.kernel}${own}`;
    if (node.kind === "dense") return `F${node.features}${own}`;
    if (node.kind === "pool") return "P";
    if (node.kind === "mean") return "M";
    if (node.kind === "recode") return "R";
    const body = node.body.map(write).join(" ");
    if (node.kind === "skip") {
      return node.body.length === 1 && WEIGHTED.includes(node.body[0].kind) ? `${body}+` : `(${body})+`;
    }
    return `[${body}]x${node.repeats}` + (node.match ? `:${node.match}` : "");
  }

  // The plan: every pass of every layer ----------------------------------------------------------------------------

  function layers(nodes, found = []) {
    for (const node of nodes) {
      if (WEIGHTED.includes(node.kind)) found.push(node);
      else if (node.body) layers(node.body, found);
    }
    return found;
  }

  /* staticInput: true where real values enter at every step, false for spikes, null: real exactly if the first layer is ReLU. */
  function plan(text, inputShape, neuron = "lif", staticInput = null) {
    const parsed = parse(text);
    oneOf("neuron", neuron, NEURONS);
    const shape = inputShape.map((n) => whole("input_shape", n));
    if (shape.length !== 3) refuse(`input_shape must be (channels, height, width), got ${tuple(inputShape)}`);
    const where = `in ${quoted(parsed.text)}`;
    const names = new Map();
    const counts = { conv: 0, fc: 0 };
    for (const node of layers(parsed.nodes)) {
      const kind = node.kind === "conv" ? "conv" : "fc";
      counts[kind] += 1;
      names.set(node, `${kind}${counts[kind]}`);
    }
    const last = parsed.nodes[parsed.nodes.length - 1];
    if (staticInput === null) {
      staticInput = (names.keys().next().value.neuron || neuron) === "relu";
    }
    const passes = [];
    let doneWithTime = false;

    function layer(node, flow, step, steps) {
      const name = names.get(node);
      const kind = node === last ? "none" : node.neuron || neuron;
      const site = steps === 1 ? name : `${name}.${step}`;
      if (kind === "relu" && flow.timed) refuse(`a ReLU layer must not read spikes: put M before ${site} ${where}`);
      if (SPIKING.includes(kind) && doneWithTime) refuse(`a spiking layer must not follow M, got ${site} ${where}`);
      let out = [node.features];
      if (node.kind === "conv") {
        if (flow.shape.length !== 3) refuse(`a convolution must read maps, got ${tuple(flow.shape)} at ${site} ${where}`);
        out = [node.maps, ...flow.shape.slice(1)];
      }
      if (passes.length === PASSES) refuse(`the network must have at most ${PASSES} passes on this page, got more ${where}`);
      passes.push({
        site, layer: name, kind: node.kind, neuron: kind, kernel: node.kind === "conv" ? node.kernel : 1,
        inShape: flow.shape, outShape: out, sources: flow.sources, sourceShapes: flow.sourceShapes, pool: flow.pool,
        static: !flow.timed, once: !SPIKING.includes(kind),
      });
      return { shape: out, sources: [site], sourceShapes: [out], pool: 1, timed: SPIKING.includes(kind) };
    }

    function matched(node, flow, shapeIn) {
      const at = `at ${quoted(write(node))} ${where}`;
      const fits = shapeIn.length === 3 && equal(flow.shape.slice(1), shapeIn.slice(1)) && flow.shape[0] > shapeIn[0];
      if (node.match === null || !fits) {
        refuse(`a BackRes block must output the shape it reads, ${tuple(shapeIn)}, or more channels ` +
          `with :drop, :top, :top-fixed or :average, got ${tuple(flow.shape)} ${at}`);
      }
      if (node.match === "average") {
        if (flow.shape[0] % shapeIn[0]) {
          refuse(`:average must have a multiple of ${shapeIn[0]} channels, got ${flow.shape[0]} ${at}`);
        }
        return { ...flow, shape: shapeIn };
      }
      if (flow.sources.length > 1) refuse(`:${node.match} must read one layer, got a residual sum ${at}`);
      return { ...flow, shape: shapeIn, sources: [`${flow.sources[0]}:${node.match}`], sourceShapes: [shapeIn] };
    }

    function walk(nodes, flow, step, steps) {
      for (const node of nodes) {
        if (WEIGHTED.includes(node.kind)) {
          flow = layer(node, flow, step, steps);
        } else if (node.kind === "pool") {
          if (flow.shape.length !== 3 || flow.shape[1] % 2 || flow.shape[2] % 2) {
            refuse(`P must follow maps of even height and width, got ${tuple(flow.shape)} ${where}`);
          }
          const [channels, height, width] = flow.shape;
          flow = { ...flow, shape: [channels, height / 2, width / 2], pool: 2 * flow.pool };
        } else if (node.kind === "recode") {
          if (flow.timed || !passes.length || flow.sources.includes("rate-code")) {
            refuse(`R must follow a ReLU layer, got it after other values ${where}`);
          }
          flow = { shape: flow.shape, sources: ["rate-code"], sourceShapes: [flow.shape], pool: 1, timed: true };
        } else if (node.kind === "mean") {
          if (!flow.timed) refuse(`M must follow spikes, got values without time ${where}`);
          flow = { ...flow, timed: false };
          doneWithTime = true;
        } else if (node.kind === "skip") {
          const out = walk(node.body, flow, step, steps);
          const at = `at ${quoted(write(node))} ${where}`;
          if (!equal(out.shape, flow.shape)) {
            refuse(`a residual sum must join equal shapes, got ${tuple(flow.shape)} and ${tuple(out.shape)} ${at}`);
          }
          if (out.timed !== flow.timed) {
            refuse(`a residual sum must join spikes with spikes or reals with reals, got one of each ${at}`);
          }
          if (flow.pool !== 1 || out.pool !== 1) {
            refuse(`a residual sum must not contain a pooling layer, got ${quoted(write(node))} ${where}`);
          }
          flow = {
            ...out, sources: out.sources.concat(flow.sources), sourceShapes: out.sourceShapes.concat(flow.sourceShapes),
          };
        } else {
          if (steps > 1) refuse(`a BackRes block must not contain another, got ${quoted(write(node))} ${where}`);
          const shapeIn = flow.shape;
          for (let k = 1; k <= node.repeats; k += 1) {
            if (k > 1 && !equal(flow.shape, shapeIn)) flow = matched(node, flow, shapeIn);
            flow = walk(node.body, flow, k, node.repeats);
          }
        }
      }
      return flow;
    }

    walk(parsed.nodes, { shape, sources: ["input"], sourceShapes: [shape], pool: 1, timed: !staticInput }, 1, 1);
    return passes;
  }

  // Energy -----------------------------------------------------------------------------------------------------------

  function fanOut(p) {
    return p.kind === "conv" ? p.kernel ** 2 * p.outShape[0] : product(p.outShape);
  }

  /* Eq. 8: multiply-accumulates of one pass. */
  function macs(p) {
    if (p.kind === "conv") return p.outShape[1] * p.outShape[2] * p.inShape[0] * fanOut(p);
    return product(p.inShape) * fanOut(p);
  }

  function rateOf(site, activity) {
    if (!Object.hasOwn(activity, site)) {
      refuse(`activity must hold site ${quoted(site)}, got ${Object.keys(activity).join(", ") || "nothing"}`);
    }
    const rate = activity[site];
    if (!(rate >= 0 && rate <= 1)) refuse(`activity of ${quoted(site)} must lie between 0 and 1, got ${quoted(rate)}`);
    return rate;
  }

  /* Spikes per step that enter a pass, counted before the average pool. */
  function entering(p, activity) {
    return p.sources.reduce((sum, site, i) => sum + rateOf(site, activity) * product(p.sourceShapes[i]), 0);
  }

  /* MAC and AC operations of the SNN. */
  function operations(p, activity, steps, convention) {
    if (convention === "paper") {
      return SPIKING.includes(p.neuron) ? [0, macs(p) * rateOf(p.site, activity) * steps] : [macs(p), 0];
    }
    return p.static || p.once ? [macs(p), 0] : [0, fanOut(p) * entering(p, activity) * steps];
  }

  /* Neuron updates in pJ. */
  function update(p, steps, prices) {
    if (!SPIKING.includes(p.neuron)) return 0;
    return product(p.outShape) * steps * (2 * prices.ac + (p.neuron === "lif" ? prices.mac - prices.ac : 0));
  }

  /* Memory accesses of the SNN in pJ. */
  function access(p, activity, steps, mac, ac, memory) {
    const neurons = product(p.outShape);
    const energy = mac * (memory.weight + memory.activation) + ac * (memory.weight + 2 * memory.membrane);
    if (!SPIKING.includes(p.neuron)) return energy + neurons * memory.activation;
    const spikes = rateOf(p.site, activity) * neurons + (p.static ? 0 : entering(p, activity));
    return energy + neurons * steps * 2 * memory.membrane + spikes * steps * memory.activation;
  }

  /* options: prices {mac, ac} in pJ; convention; memory {weight, activation, membrane} in pJ or null. */
  function report(passes, activity, steps, { prices, convention = "paper", memory = null }) {
    whole("steps", steps);
    oneOf("convention", convention, CONVENTIONS);
    positive("prices.mac", prices.mac);
    positive("prices.ac", prices.ac);
    if (prices.mac < prices.ac) {
      refuse(`prices.mac must be at least prices.ac (${prices.ac}), got ${prices.mac}`);
    }
    if (memory && convention !== "full") {
      refuse(`memory needs convention 'full', got convention ${quoted(convention)}`);
    }
    const rows = passes.map((p) => {
      const [mac, ac] = operations(p, activity, steps, convention);
      const updates = convention === "full" ? update(p, steps, prices) : 0;
      const accesses = memory ? access(p, activity, steps, mac, ac, memory) : 0;
      const oneMac = prices.mac + (memory ? memory.weight + memory.activation : 0);
      const written = memory ? product(p.outShape) * memory.activation : 0;
      return {
        site: p.site, neuron: p.neuron, macs: macs(p), macOperations: mac, acOperations: ac, update: updates,
        memory: accesses, snn: mac * prices.mac + ac * prices.ac + updates + accesses, ann: macs(p) * oneMac + written,
      };
    });
    const total = (some, name) => some.reduce((sum, row) => sum + row[name], 0);
    const spiking = rows.filter((row) => SPIKING.includes(row.neuron));
    const ann = total(rows, "ann");
    const snn = total(rows, "snn");
    const spikingSnn = total(spiking, "snn");
    return {
      rows, ann, snn, efficiency: ann / snn,
      spikingEfficiency: spiking.length ? (spikingSnn ? total(spiking, "ann") / spikingSnn : Infinity) : null,
    };
  }

  /* All whose rate a report may read, in order: "input" and "rate-code" too, and what channel matching leaves. "counted"
     says whether this convention reads it: the paper's reads what a layer fires, the others what enters it. */
  function sites(passes, convention = "full", withMemory = true) {
    const found = new Map();
    const note = (site, counted) => found.set(site, counted || found.get(site) || false);
    for (const p of passes) {
      if (!p.static && !p.once) p.sources.forEach((site) => note(site, convention !== "paper"));
      if (SPIKING.includes(p.neuron)) note(p.site, convention === "paper" || withMemory);
    }
    return [...found].map(([site, counted]) => ({ site, counted }));
  }

  function bound(passes, steps, options) {
    const silent = Object.fromEntries(sites(passes).map(({ site }) => [site, 0]));
    return report(passes, silent, steps, options).efficiency;
  }

  root.snnEnergy = { parse, plan, macs, report, bound, sites, Refused, CONVENTIONS, NEURONS };
})(globalThis);
