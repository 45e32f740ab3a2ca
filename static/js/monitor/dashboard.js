/**
 * The dashboard: a card for each host, live. However many reports come, the page draws only what is
 * seen.
 *
 * <section data-behaviour="monitor/dashboard" data-samples="/dashboard/samples.json"
 *     data-host-url="/hosts/HOST/">
 *   <div data-part="tools"> <input data-part="filter"> <select data-part="sort">
 *     <p data-part="summary"> </div>
 *   <ul data-part="hosts"> cards, see card.js </ul> <template data-part="card">
 *   <div data-part="empty" hidden> <p data-part="none" hidden>
 * </section>
 */
import { live } from "wampflask";
import { getJson } from "../get.js";
import { Board } from "./board.js";
import { liveWith, samples } from "./samples.js";

export function connect(root) {
  const board = new Board(root);
  const shown = liveWith("hosts", "samples");
  const followed = [
    live(
      "monitor.hosts",
      (rows, changes) => {
        board.show(rows, changes);
        shown("hosts");
      },
      { kind: "rows" },
    ),
    samples("monitor.clientstats.", {
      report: (host, sample) => board.report(host, sample),
      recall: async () => {
        board.recall(await getJson(root.dataset.samples));
        shown("samples");
      },
    }),
  ];
  return () => {
    followed.forEach((one) => one.stop());
    board.stop();
  };
}
