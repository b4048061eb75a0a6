/* The claims ledger: filter, deep links, print. Without this script it is a full table whose claims open one by one. */
(() => {
  "use strict";

  const start = (ledger) => {
    const form = ledger.querySelector(".snn-filter");
    const claims = [...ledger.querySelectorAll("tbody[data-claim]")];
    const said = form.querySelector("output");
    const words = new Map(claims.map((claim) => [claim, text(claim)]));
    const folded = (claim) => claim.querySelector("details");

    const filter = () => {
      const { method, verdict, words: typed } = form.elements;
      const wanted = typed.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const claim of claims) {
        const fits = (!method.value || claim.dataset.method === method.value) &&
          (!verdict.value || claim.dataset.verdict.split("|").includes(verdict.value)) &&
          wanted.every((word) => words.get(claim).includes(word));
        claim.hidden = !fits;
        shown += fits;
      }
      said.textContent = `${shown} of ${claims.length} claims shown`;
    };

    // #claim-ID: show the claim even if the filter hides it, open it, go there
    const follow = () => {
      const claim = claims.find((one) => `#${one.id}` === decodeURIComponent(location.hash));
      if (!claim) return;
      if (claim.hidden) {
        form.reset();
        filter();
      }
      folded(claim).open = true;
      claim.scrollIntoView();
    };

    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter)); // the fields are empty only after the event
    const all = (open) => () => claims.forEach((claim) => { if (!claim.hidden) folded(claim).open = open; });
    form.elements.open.addEventListener("click", all(true));
    form.elements.close.addEventListener("click", all(false));

    // on paper everything that is shown is open
    let closed = [];
    addEventListener("beforeprint", () => {
      closed = claims.map(folded).filter((one) => !one.open);
      closed.forEach((one) => { one.open = true; });
    });
    addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));

    form.hidden = false;
    filter(); // a browser that comes back to a page keeps what was chosen
    addEventListener("hashchange", follow);
    follow();
  };

  /** What the words of the filter are looked for in: the row of a claim, not what is folded below it. */
  const text = (claim) => claim.rows[0].textContent.toLowerCase();

  const ready = () => document.querySelectorAll(".snn-ledger").forEach(start);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", ready);
  else ready();
})();
