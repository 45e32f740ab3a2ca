/**
 * The numbers of one chart: columns of a mean, a minimum and a maximum for each name over common
 * times. The hub's history is loaded, and in the last hour live points go on from there.
 */
const KINDS = ["mean", "min", "max"];
const LIVE = 3600; // seconds that the live range shows
const SECONDS = { "1h": LIVE, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };

export class Series {
  #columns = new Map();
  names = [];
  times = [];
  /** Whether the hub has averaged, so that minimum and maximum say more than the mean. */
  bands = false;
  seconds = LIVE;

  get isEmpty() {
    return !this.names.some((name) => this.column(name).some((value) => value != null));
  }

  column(name, kind = "mean") {
    return this.#columns.get(`${kind} ${name}`);
  }

  /** Takes the hub's history; live points that it has not stored yet stay at its end. */
  load({ times, series, span, range }, names) {
    const tail = range === "1h" ? this.#tail(times.at(-1) ?? 0) : { times: [] };
    const nothing = tail.times.map(() => null);
    const unknown = times.map(() => null);
    this.bands = span >= 60;
    this.seconds = SECONDS[range];
    this.names = names;
    this.times = [...times, ...tail.times];
    this.#columns = new Map();
    for (const name of names) {
      for (const kind of KINDS) {
        const values = [...(series[name]?.[kind] ?? unknown), ...(tail.columns?.[name] ?? nothing)];
        this.#columns.set(`${kind} ${name}`, values);
      }
    }
  }

  /** Whether a live point goes on from here. */
  isNews(time) {
    return this.seconds === LIVE && time > (this.times.at(-1) ?? 0);
  }

  /** Adds a live point, and drops what is older than the range. */
  add(time, values) {
    this.times.push(time);
    for (const name of this.names) {
      for (const kind of KINDS) this.column(name, kind).push(values[name] ?? null);
    }
    while (this.times[0] < time - LIVE) {
      this.times.shift();
      this.#columns.forEach((column) => column.shift());
    }
  }

  /** Takes in names that the history does not have yet. Returns whether there are any. */
  meet(names) {
    const fresh = names.filter((name) => !this.names.includes(name));
    for (const name of fresh) {
      for (const kind of KINDS)
        this.#columns.set(
          `${kind} ${name}`,
          this.times.map(() => null),
        );
    }
    this.names = [...this.names, ...fresh];
    return fresh.length > 0;
  }

  #tail(newest) {
    const first = this.times.findIndex((time) => time > newest + 0.001);
    if (first < 0 || this.seconds !== LIVE) return { times: [] };
    const columns = this.names.map((name) => [name, this.column(name).slice(first)]);
    return { times: this.times.slice(first), columns: Object.fromEntries(columns) };
  }
}
