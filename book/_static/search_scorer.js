// Sphinx's scores, and an order of kinds: a reader who searches for a technique looks for its chapter first. The API has every name in
// many places and comes last, with the lists of runs and commits.
var Scorer = {
  score: ([page, , , , score]) => {
    const last = ['book/_generated/api/', 'book/api/', 'book/recorded', 'book/rules', 'book/compute', 'genindex', 'py-modindex'];
    if (page.startsWith('executed/')) return score + 200;
    return last.some((start) => page.startsWith(start)) ? score - 200 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
