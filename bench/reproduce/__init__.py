"""The published networks and claims, set beside what this device measures."""
