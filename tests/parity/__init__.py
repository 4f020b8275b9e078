"""The core is held to the reference: problems as data, every engine, every target."""
