"""One shop, written for both sides of ``bench.live``: what differs is how its card stays true."""
