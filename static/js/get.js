/**
 * JSON from the site, never from a cache. Raises for a refusal, also one by a redirect to log in.
 */
export async function getJson(url) {
  const answer = await fetch(url, { cache: "no-store", headers: { Accept: "application/json" } });
  if (answer.redirected || !answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}
