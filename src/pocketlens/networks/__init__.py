"""Networks that go by a name: published layer lists, with random weights."""
