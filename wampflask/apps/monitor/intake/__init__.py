"""Takes in what agents send: enrolments, and uploads of samples, of which it keeps the history."""
