"""Training of the method `lightxml` (LightXML, Jiang et al., AAAI 2021)."""
