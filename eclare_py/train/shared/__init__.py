"""One training of the network on several processes; who they are and how they talk is in `distributed`."""
