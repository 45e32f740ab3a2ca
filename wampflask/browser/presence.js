/** Who is present on a topic: apply(people, {changed, gone}), as for rows. */
import { live } from "./live.js";
import { presenceTopic } from "./uris.js";

/** @param {import("./connection.js").Connection} connection  @param {string} topic  @param {Function} apply  @param {object} [options] */
export const presence = (connection, topic, apply, options) =>
  live(connection, presenceTopic(topic), apply, { ...options, kind: "rows" });
