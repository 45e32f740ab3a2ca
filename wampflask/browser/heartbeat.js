/**
 * Notices a half-open socket, which a browser does not: after `every` milliseconds of silence the router must answer.
 * @returns {() => void} stop
 */
export function keepAlive(session, every = 25_000) {
  const timer = setInterval(() => performance.now() - session.heard >= every * 0.9 && session.probe(), every);
  return () => clearInterval(timer);
}
