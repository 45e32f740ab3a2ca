/** What is known of one host, put together from snapshots and events; an older one never overwrites a newer one. */
export const GROUPS = {
  show_cpus: ["cpu", "cpus", "load"],
  show_memory: ["memory", "swap"],
  show_disk: ["disks", "disk_io"],
  show_network: ["network"],
  show_temperatures: ["temperatures"],
  show_system: ["uptime", "processes"],
};

export class HostState {
  config = { version: 0 };
  presence = { version: 0, online: false, last_seen: null };
  sample = null;

  constructor(card) {
    this.host = card.host;
    this.load(card);
  }

  load(card) {
    this.ip = card.ip;
    this.configure(card.config);
    this.appear(card.presence);
    if (card.latest && !(this.sample?.time >= card.latest.time)) this.sample = card.latest;
    return this;
  }

  configure(config) {
    if (config.version >= this.config.version) this.config = config;
  }

  appear(presence) {
    if (presence.version >= this.presence.version) this.presence = presence;
  }

  /** @returns {boolean} whether it is news: not from before the configuration that is shown */
  report(sample) {
    if (sample.version < this.config.version || sample.time < this.sample?.time) return false;
    this.sample = sample;
    return true;
  }

  get title() { return this.config.title ?? this.host.slice(0, 8); }
  get labels() { return this.config.labels ?? []; }
  get state() { return this.config.disabled ? "disabled" : this.presence.online ? "online" : "offline"; }

  /** A group of the newest sample, unless it is switched off. */
  value(name) {
    const [group] = Object.entries(GROUPS).find(([, names]) => names.includes(name)) ?? [];
    return group && this.config[group] === false ? undefined : this.sample?.[name];
  }
}
