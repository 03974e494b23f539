"""How a gateway speaks: its data, its dialect, its failures."""
