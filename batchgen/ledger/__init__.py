"""What happened: an append-only file of facts, its reader and writer, and the state that folding it yields."""
