/**
 * Notices a half-open socket, which a browser does not: after `every` milliseconds of silence the router must answer within `timeout`.
 * @returns {() => void} stop
 */
export function keepAlive(session, { every = 25_000, timeout = 5000 } = {}) {
  const beat = () => {
    if (performance.now() - session.heard >= every * 0.9) session.probe(timeout);
  };
  const timer = setInterval(beat, every);
  return () => clearInterval(timer);
}
