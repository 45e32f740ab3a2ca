/** What is known of one host: what the hub says of it, and its newest sample. */
export const GROUPS = {
  show_cpus: ["cpu", "cpus", "load"],
  show_memory: ["memory", "swap"],
  show_disk: ["disks", "disk_io"],
  show_network: ["network"],
  show_temperatures: ["temperatures"],
  show_system: ["uptime", "processes"],
};

export class HostState {
  /** Of the hub: settings and presence. */
  facts = {};
  sample = null;

  constructor(host) {
    this.host = host;
  }

  learn(facts) {
    Object.assign(this.facts, facts);
  }

  /** What the hub has stored may be older than what came from the host itself. */
  recall(sample) {
    if (sample && !(this.sample?.time >= sample.time)) this.sample = sample;
  }

  /** @returns {boolean} whether it is news: not from before the configuration that is shown */
  report(sample) {
    if (sample.version < this.facts.version || sample.time < this.sample?.time) return false;
    this.sample = sample;
    return true;
  }

  get title() {
    return this.facts.title ?? this.host.slice(0, 8);
  }
  get labels() {
    return this.facts.labels ?? [];
  }
  get state() {
    return this.facts.disabled ? "disabled" : this.facts.online ? "online" : "offline";
  }

  /** Whether a group is measured. */
  shows(group) {
    return this.facts[group] !== false;
  }

  /** A group of the newest sample, unless it is switched off. */
  value(name) {
    const [group] = Object.entries(GROUPS).find(([, names]) => names.includes(name)) ?? [];
    return group && !this.shows(group) ? undefined : this.sample?.[name];
  }
}
