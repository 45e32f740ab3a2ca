/**
 * Notices a half-open socket, which a browser does not: after 25 s of silence the router must answer.
 * @returns {() => void} stop
 */
export function keepAlive(session) {
  const timer = setInterval(
    () => performance.now() - session.heard > 22_500 && session.probe(),
    25_000,
  );
  return () => clearInterval(timer);
}
