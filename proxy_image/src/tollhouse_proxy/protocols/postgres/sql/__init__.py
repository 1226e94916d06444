"""SQL understood: text and catalog in, operations and rewritten text out. No bytes, no waiting."""
