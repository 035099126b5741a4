"""What a plant of some size needs, from what was measured. Pure: no file but its own figures."""
