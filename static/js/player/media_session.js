/**
 * Puts the player on the lock screen and under the media keys, where the browser can do that.
 *
 * @returns {(state) => void} call it with each new state of the player
 */
const STEP = 10; // seconds, when the key has no step of its own

export function showOnLockScreen(deck) {
  const session = navigator.mediaSession;
  if (!session) return () => {};
  const by = (seconds) => deck.seek(Math.max(0, deck.state().position + seconds));
  const actions = {
    play: () => deck.play(),
    pause: () => deck.pause(),
    stop: () => deck.pause(),
    previoustrack: () => deck.previous(),
    nexttrack: () => deck.next(),
    seekbackward: ({ seekOffset }) => by(-(seekOffset ?? STEP)),
    seekforward: ({ seekOffset }) => by(seekOffset ?? STEP),
    seekto: ({ seekTime }) => deck.seek(seekTime),
  };
  for (const [name, act] of Object.entries(actions)) {
    try {
      session.setActionHandler(name, act);
    } catch {
      /* a key that this browser does not know */
    }
  }
  let title = null;
  return (state) => {
    if (state.title !== title) {
      title = state.title;
      session.metadata = new MediaMetadata({ title, artist: "wampflask" });
    }
    session.playbackState = state.playing ? "playing" : "paused";
    if (!state.duration) return;
    const position = Math.min(state.position, state.duration);
    session.setPositionState?.({ duration: state.duration, position, playbackRate: 1 });
  };
}
