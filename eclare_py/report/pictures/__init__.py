"""Pictures of a label graph, drawn by matplotlib (of the extra `report`) as SVG, PNG or PDF."""
